"""`python -m tests.alert_rules > deploy/prometheus/alerts.yml` renders the rules of the alerts."""

from __future__ import annotations

import sys

from worker.monitoring.alerts import rules

if __name__ == "__main__":
    sys.stdout.write(rules())
