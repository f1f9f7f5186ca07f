"""Tests that use the fixtures of duvo.testing; test_testing_kit.py runs each file in a process."""
