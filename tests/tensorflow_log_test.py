def test_loading_prints_nothing_and_stderr_comes_back(run_command):
    code = (
        "import sys; from ctcov_tf import tensorflow_log; tensorflow_log.load_quietly(); "
        "assert 'tensorflow' in sys.modules; print('seen', file=sys.stderr)"
    )
    answer = run_command("-c", code)
    assert answer.returncode == 0
    assert answer.stderr == "seen\n"
    assert answer.stdout == ""
