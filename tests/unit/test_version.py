import subprocess

import duvo


def test_the_command_prints_the_version_of_the_package():
    answer = subprocess.run(["duvo", "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout == f"duvo {duvo.__version__}\n"
