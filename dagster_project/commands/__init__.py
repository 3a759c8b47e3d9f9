"""What each `health` command does; cli.py only reads its options."""
