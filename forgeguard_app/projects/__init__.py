"""Pure: what a project is asked, the contracts that follow from the answers, and the plan that a build works
through.
"""
