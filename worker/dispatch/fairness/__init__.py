"""Order of jobs: priorities, tenants, batches, ageing. Pure."""
