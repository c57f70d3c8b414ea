import pytest

from ctcov_tf.serving import not_answered
from ctcov_tf.serving.retries import Retries

BUSY = not_answered.refused("there", 503, "busy")


class Server:
    """Ends its first calls with errors."""

    def __init__(self, *faults):
        self.faults, self.calls = list(faults), 0

    def __call__(self):
        self.calls += 1
        if self.faults:
            raise self.faults.pop(0)
        return "answer"


def test_it_asks_again_until_there_is_an_answer():
    server, delays = Server(BUSY, not_answered.unreachable("there", "refused")), []
    assert Retries(attempts=3).call(server, delays.append) == "answer"
    assert (server.calls, len(delays)) == (3, 2)


def test_the_last_error_is_raised_without_another_delay():
    server, delays = Server(*[BUSY] * 9), []
    with pytest.raises(not_answered.NotAnswered, match="status 503"):
        Retries(attempts=3).call(server, delays.append)
    assert (server.calls, len(delays)) == (3, 2)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 500, 501])
def test_what_asking_again_does_not_mend_is_asked_once(status):
    server, delays = Server(not_answered.refused("there", status, "")), []
    with pytest.raises(not_answered.NotAnswered, match=f"status {status}"):
        Retries().call(server, delays.append)
    assert (server.calls, delays) == (1, [])


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_server_that_has_no_time_is_asked_again(status):
    server = Server(not_answered.refused("there", status, ""))
    assert Retries().call(server, lambda seconds: None) == "answer"


def test_a_time_out_is_not_asked_again():
    server = Server(not_answered.timed_out("there", 3))
    with pytest.raises(not_answered.NotAnswered, match="no answer within 3 s"):
        Retries().call(server, lambda seconds: None)
    assert server.calls == 1


def test_delays_double_up_to_the_longest_and_differ():
    series = []
    for _ in range(20):
        delays = []
        with pytest.raises(not_answered.NotAnswered):
            Retries(attempts=6, first_delay=1, longest_delay=5).call(Server(*[BUSY] * 9), delays.append)
        series.append(delays)
    for number, longest in enumerate((1, 2, 4, 5, 5)):
        found = [delays[number] for delays in series]
        assert longest / 2 <= min(found) < max(found) <= longest


def test_the_server_may_ask_for_a_longer_delay_within_bounds():
    delays = []
    server = Server(not_answered.refused("there", 429, "", wait=3), not_answered.refused("there", 429, "", wait=900))
    Retries(first_delay=0.1, longest_delay=5).call(server, delays.append)
    assert delays == [3, 5]
