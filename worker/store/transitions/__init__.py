"""Every change of a job's state: named statements, guarded by compare-and-set.

Nothing else writes `jobs.status`. A statement that loses its race changes nothing and reports that.
"""
