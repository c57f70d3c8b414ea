from benchmarks import bad_requests, embedded_server


def test_a_real_server_refuses_what_is_mutated_and_goes_on(mean_grey_file, image_files):
    images = bad_requests.images(image_files[0])
    with embedded_server.serving(mean_grey_file) as server:
        first, second = (bad_requests.ask(server, images, 400, seed) for seed in (1, 2))
        assert server.ask(server.connect(), embedded_server.request(image_files[0]))["model"] == "mean_grey"
    for found in (first, second):
        assert found.lost == found.silent == 0
        assert sum(found.statuses.values()) == 400
        assert set(found.statuses) == {200, 400, 413}
        assert found.statuses[400] > 200
    assert second.memory[-1] < 1.1 * first.memory[-1]
