"""The benchmark: ratios against named references, measured in the same run.

- `measure`: runs two things in turn, and tells this machine and its versions;
- `ours`, `references`: what is run, ours and what it is compared with;
- `__main__`: the table.

``make bench`` or ``python -m tests.bench`` prints it; ``python -m tests.bench verify trace`` prints those parts only.
Nothing here asserts a time: a slow machine is no fault.
"""
