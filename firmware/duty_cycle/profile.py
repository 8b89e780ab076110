"""What one wake took, for whoever tunes a battery node. Loaded with `"profile": true`."""

import json


def profile(wake, boot_ms, now_ms, report):
    """A line for the log. wake: firmware/duty_cycle/wake.py, which is over. boot_ms: from the
    board's start to the node. now_ms: uptime. report: what its delivery took, or None."""
    times = {"boot_ms": boot_ms, "sample_ms": wake.sampled_ms - wake.began_ms}
    if wake.delivers:
        # A wake that gave up counts what it spent on trying.
        times["join_ms"] = (wake.up_ms or now_ms) - wake.began_ms
        times["readings"] = 0
    if wake.done_ms is not None and report:
        # CONNECT waits for the reading, which is the sensors' time and not the network's.
        times["connect_ms"] = wake.open_ms - max(wake.up_ms or 0, wake.sampled_ms)
        times["deliver_ms"] = wake.done_ms - wake.open_ms
        times["readings"] = report["readings"]
    return "profile " + json.dumps(times)
