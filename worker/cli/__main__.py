"""`python -m worker.cli` is `ttsq`."""

from worker.cli.main import main

if __name__ == "__main__":
    main()
