"""A node that fails at its second reading, in a way that nothing expects.

The pause before the restart is told in place of being waited for.
"""

from firmware import app, crash
from firmware.readings.sampler import Sampler

_finish, _keep = Sampler.finish, crash.keep


def finish(self):
    if self.taken == 1:
        raise RuntimeError("a bug of the second reading")
    return _finish(self)


def keep(*arguments):
    print("pause of %d s" % _keep(*arguments))
    return 0


Sampler.finish = finish
crash.keep = keep
app.run()
