from benchmarks import bad_requests, embedded_server


def test_a_real_server_refuses_what_is_mutated_and_goes_on(mean_grey_file, image_files):
    with embedded_server.serving(mean_grey_file) as server:
        found = bad_requests.ask(server, bad_requests.images(image_files[0]), 1000, seed=1)
        assert server.ask(server.connect(), embedded_server.request(image_files[0]))["model"] == "mean_grey"
    assert found.lost == found.silent == 0
    assert sum(found.statuses.values()) == 1000
    assert set(found.statuses) == {200, 400, 413}
    assert found.statuses[400] > 500
    assert found.memory[10] < 1.1 * found.memory[5]
