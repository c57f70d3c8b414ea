def test_a_missing_extra_is_one_line(run_command):
    code = "import sys; sys.modules['uvicorn'] = None; from ctcov_tf.cli import main; main()"
    answer = run_command("-c", code, "serve", "model.tflite")
    assert answer.returncode == 2
    assert answer.stderr == "error: uvicorn: not installed: install it with pip install 'ctcov[serve]'\n"
