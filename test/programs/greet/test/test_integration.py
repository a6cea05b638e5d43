import subprocess
import sys


def run(*args):
    return subprocess.run([sys.executable, "-m", "coverage", "run", "--branch", "-p", "-m", "greet", *args], capture_output=True, text=True)


def test_everybody_is_greeted():
    assert run("Ada", "de:Konrad").stdout == "Hello, Ada!\nHallo, Konrad!\n"


def test_nobody_is_a_mistake():
    assert run().returncode == 2
