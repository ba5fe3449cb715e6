"""What is kept no longer: texts and audio of jobs that ended long enough ago. The rows and the ledger stay."""
