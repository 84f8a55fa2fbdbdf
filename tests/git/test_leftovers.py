"""What a killed git leaves is removed, and nothing that git still reads."""

from __future__ import annotations

from pathlib import Path

from forgeguard_app.git.leftovers import remove_leftovers

KEPT = (
    "HEAD",
    "objects/pack/multi-pack-index",
    "objects/pack/pack-1f.idx",
    "objects/pack/pack-1f.pack",
    "objects/pack/pack-1f.promisor",
    "packed-refs",
    "refs/forgeguard/branches/1f",
    "shallow",
)
LEFT = (
    "HEAD.lock",
    "config.lock",
    "objects/1f/tmp_obj_a1",
    "objects/info/commit-graph.lock",
    "objects/pack/pack-2f.pack",
    "objects/pack/pack-2f.rev",
    "objects/pack/tmp_idx_a1",
    "objects/pack/tmp_pack_a1",
    "objects/tmp_objdir-incoming-a1/pack/pack-3f.idx",
    "packed-refs.lock",
    "refs/forgeguard/branches/1f.lock",
    "shallow.lock",
)


def test_locks_and_unfinished_files_are_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in (*KEPT, *LEFT):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    remove_leftovers(tmp_path)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()) == sorted(KEPT)
