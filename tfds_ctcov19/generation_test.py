"""Examples made by Beam's workers are those of the loop: the same records, in the same order."""

import hashlib
import pathlib

from apache_beam.options import pipeline_options
from apache_beam.runners.portability import fn_api_runner
import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from tfds_ctcov19 import testing
from tfds_ctcov19.chest_xray_pneumonia import chest_xray_pneumonia_dataset_builder
from tfds_ctcov19.covid_ct import covid_ct_dataset_builder
from tfds_ctcov19.covid_cxr import covid_cxr_dataset_builder
from tfds_ctcov19.ctcov19 import ctcov19_dataset_builder
from tfds_ctcov19.phantom import phantom_dataset_builder

ARCHIVES = {
    covid_ct_dataset_builder: ("conflicts_dropped", ""),
    ctcov19_dataset_builder: ("as_released", ""),
    covid_cxr_dataset_builder: ("by_patient", "ieee8023"),
    chest_xray_pneumonia_dataset_builder: ("by_patient", "published"),
}


def on_beam(workers: int) -> dict[str, object]:
    """Settings that run a build by several workers of Beam."""
    options = pipeline_options.PipelineOptions(
        [f"--direct_num_workers={workers}", "--direct_running_mode=multi_threading"]
    )
    return {"beam_options": options, "beam_runner": fn_api_runner.FnApiRunner()}


def stored(builder: tfds.core.DatasetBuilder) -> dict[str, list[str]]:
    """Hash of every record of every split, in order of the files."""
    found: dict[str, list[str]] = {}
    for split, info in builder.info.splits.items():
        found[split] = [
            hashlib.sha256(record.numpy()).hexdigest()
            for path in sorted(info.filepaths)
            for record in tf.data.TFRecordDataset(str(path))
        ]
        assert len(found[split]) == info.num_examples
    return found


@pytest.mark.parametrize("module", ARCHIVES, ids=lambda module: module.__name__.split(".")[1])
def test_archives_are_the_same_on_beam(module, tmp_path):
    config, within = ARCHIVES[module]
    folder = pathlib.Path(module.__file__).parent / "dummy_data" / within
    built = []
    for name, how in (("loop", {}), ("beam", on_beam(2))):
        builder = module.Builder(config=config, data_dir=tmp_path / name)
        download = tfds.download.DownloadConfig(manual_dir=folder, **how)
        builder.download_and_prepare(download_config=download)
        built.append(builder)
    loop, beam = built
    assert stored(loop) == stored(beam)
    assert loop.info.splits["train"].num_bytes == beam.info.splits["train"].num_bytes
    assert testing.report_of(loop) == testing.report_of(beam)


def test_phantoms_are_the_same_on_beam_in_several_shards(tmp_path):
    built = []
    for name, how in (("loop", {}), ("beam", on_beam(3))):
        builder = phantom_dataset_builder.Builder(config="cxr_pneumonia_tiny", data_dir=tmp_path / name)
        builder.download_and_prepare(download_config=tfds.download.DownloadConfig(num_shards=2, **how))
        built.append(stored(builder))
    assert built[0] == built[1]
    assert len(set(built[0]["train"])) == 36
