"""What holds for every test: nothing dials out, the caller's own settings stay outside, CI draws the same examples."""

import os

from hypothesis import settings

os.environ.update({"DO_NOT_TRACK": "1", "DBT_SEND_ANONYMOUS_USAGE_STATS": "false", "DAGSTER_DISABLE_TELEMETRY": "yes"})
for name in [name for name in os.environ if name.startswith("HEALTH_") or name == "DAGSTER_HOME"]:
    del os.environ[name]

# No deadline: a slow machine is not a failing one. In CI the examples come from a fixed seed, so a red build can be
# repeated; on a developer's machine they differ each time, which is where new faults are found.
settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")
