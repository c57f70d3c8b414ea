from prometheus_client import parser

PREDICT = "/v1/models/fixed:predict"


def found(client):
    """Every sample of the page, by name and labels."""
    page = client.get("/metrics")
    assert page.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in parser.text_string_to_metric_families(page.text)
        for sample in family.samples
    }


def test_requests_are_counted_by_call_and_status(serving, rows, image):
    client = serving(3).client
    for _ in range(3):
        assert client.post(PREDICT, json=rows(image, image)).status_code == 200
    client.post(PREDICT, json=rows(image, b"no image"))
    client.get("/v1/models/fixed")
    client.get("/v1/models/other")
    client.get("/some/where/else")
    samples = found(client)
    counted = {name[1:]: value for name, value in samples.items() if name[0] == "ctcov_requests_total"}
    assert counted == {
        ("predict", "200"): 3,
        ("predict", "400"): 1,
        ("status", "200"): 1,
        ("status", "404"): 1,
        ("other", "404"): 1,
    }
    assert samples["ctcov_request_seconds_count", "predict"] == 4
    assert samples["ctcov_request_seconds_sum", "predict"] > 0
    assert samples[("ctcov_batch_size_sum",)] == 7
    assert samples[("ctcov_refused_images_total",)] == 1
    assert samples[("ctcov_queue_images",)] == 0
    assert samples[("ctcov_model_version",)] == 3


def test_the_version_in_service_is_told(serving):
    served = serving(1)
    served.put(2)
    for _ in range(2):
        served.versions.look()
    assert found(served.client)[("ctcov_model_version",)] == 2
