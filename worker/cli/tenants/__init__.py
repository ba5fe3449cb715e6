"""Commands about tenants, whose jobs are kept apart from others'."""
