"""Every change of a job's state: named statements, guarded by compare-and-set, each telling whether it won.

Nothing else writes `jobs.status`. A statement that loses its race changes nothing and says so.
"""
