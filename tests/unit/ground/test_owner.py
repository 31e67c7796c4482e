import os
import subprocess
import sys

from banyan.process.owner import is_gone, own_name


def test_a_process_that_runs_is_not_gone():
    assert not is_gone(own_name())


def test_a_process_that_has_ended_is_gone_even_when_its_number_is_used_again():
    script = "import sys; sys.path.append('platform'); from banyan.process.owner import own_name; print(own_name())"
    name = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip()
    assert is_gone(name)
    host, boot, _, began = own_name().split("/")
    assert is_gone(f"{host}/{boot}/{os.getpid()}/{int(began) - 1}")


def test_a_process_of_before_the_machine_was_started_is_gone():
    host, _, pid, began = own_name().split("/")
    assert is_gone(f"{host}/0badb007/{pid}/{began}")


def test_nothing_is_certain_of_another_machine_or_of_a_name_that_is_not_ours():
    _, boot, pid, began = own_name().split("/")
    assert not is_gone(f"elsewhere/{boot}/{pid}/{began}")
    assert not is_gone("two")
