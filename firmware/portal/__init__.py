"""Set-up without a computer: the node's own access point with one page on it (docs/portal.md).

Loaded only when there is a reason to, for which `entry` looks. `run` opens and closes it, `server`
speaks HTTP, `names` DNS, `form` makes settings of what was typed, `page` shows it, `pending` sees
that they work.
"""
