"""`python -m batch_task_deletion`, the same as the command."""

from batch_task_deletion.entry import script

if __name__ == "__main__":
    script()
