"""The public classes of the async client, made by docs/async_classes.py."""
