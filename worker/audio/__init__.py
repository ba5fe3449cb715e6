"""What arrived as audio: which container it is, whether it is whole, how it sounds. Knows files; nothing of jobs."""
