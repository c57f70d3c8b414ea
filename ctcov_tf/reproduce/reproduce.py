"""One command for a table of the paper: every method with every seed, then the table, its figure and its page."""

from collections.abc import Sequence
import pathlib
import sys
from typing import Any

from ctcov_tf import errors, files, run_directory
from ctcov_tf.datasets import contents
from ctcov_tf.evaluation import figures
from ctcov_tf.reproduce import arms as arms_lib
from ctcov_tf.reproduce import cells, page, roc_figure, settings, table
from ctcov_tf.reproduce.arms import Arm
from ctcov_tf.reproduce.cells import Cell
from ctcov_tf.reproduce.judging import Judging
from ctcov_tf.reproduce.paper_tables import TABLES, Table
from ctcov_tf.reproduce.protocol import Protocol
from ctcov_tf.reproduce.settings import Request, Settings
from ctcov_tf.training import parts

ABLATION = "ablation"
RUNS = "runs"
PICTURE = "roc.png"

_ABLATED = "table5"  # the table whose dataset and network the ablation takes, where nothing else is said


def reproduce(
    request: Request, out: pathlib.Path, *, methods: Sequence[str] | None = None, seeds: int = 5
) -> dict[str, Any]:
    """Trains and judges every method with every seed, and writes what they show.

    Each training is a run directory in `out/runs`. What is finished is not done again, what was interrupted goes on,
    and several processes may share the folder. `table.json`, `table.md`, `table.html` and `roc.png` hold the rows that
    were asked for.

    Args:
      request: table and settings; those that the folder has must not differ.
      out: the folder.
      methods: presets that ours is compared with, or arms of the ablation; the table's own if not given.
      seeds: trainings of each, with seeds from 0.

    Returns:
      What `table.json` holds.

    Raises:
      CtcovError: something cannot be trained here, the folder has other settings, or trainings failed; the table of
        the others has then been written.
      KeyboardInterrupt: the same call goes on.
    """
    paper = TABLES.get(request.table)

    def trainable(these: Settings) -> list[Arm]:
        for data in (these.protocol.data, these.protocol.judging):
            contents.manifest(data)
        found = _arms(these, paper, methods)
        for arm in found:
            parts.load(arm.config)
        return found

    chosen = settings.settle(out, request, _default(request.table), trainable, seeds)
    arms = _arms(chosen, paper, methods)
    protocol = chosen.protocol
    judging = Judging(f"ctcov reproduce {chosen.table}", protocol.judging if protocol.judged_on else None)
    _say(settings.describe(chosen, len(arms), seeds))
    by_seed = [_cell(arm, seed, out) for seed in range(seeds) for arm in arms]
    cells.begin(by_seed)
    failed = cells.work(by_seed, judging, expected=chosen.seconds, keep_going=True)

    runs = {
        arm.name: [
            run_directory.load(cell.path) for cell in by_seed if cell.arm == arm.name and cell.path.name not in failed
        ]
        for arm in arms
    }
    scores = {name: table.scores_of(of_arm, judging) for name, of_arm in runs.items() if of_arm}
    content = table.build(chosen, paper, arms, runs, scores, judging, failed)
    titles = {arm.name: arm.title for arm in arms}
    curves = {titles[name]: of_arm for name, of_arm in scores.items()}
    figures.save(roc_figure.draw(curves, _figure_title(paper)), out / PICTURE)
    files.write_json(out / "table.json", content)
    files.write_text(out / "table.md", table.as_markdown(content, PICTURE))
    files.write_text(out / "table.html", page.render(content, (out / PICTURE).read_bytes()))
    if failed:
        first = next(iter(failed.values()))
        raise errors.CtcovError(
            f"{out}: {len(failed)} of {len(by_seed)} trainings failed ({first}): {out / 'table.md'} holds the others; "
            "the same command tries these again"
        )
    return content


def _default(name: str) -> Settings:
    paper = TABLES[_ABLATED if name == ABLATION else name]
    return Settings(name, paper.ours, Protocol(paper.dataset, judged_on=paper.judged_on))


def _arms(chosen: Settings, paper: Table | None, methods: Sequence[str] | None) -> list[Arm]:
    if paper is None:
        return arms_lib.choose(arms_lib.ablation(chosen.ours, chosen.protocol), methods)
    names = arms_lib.presets([chosen.ours, *(paper.methods if methods is None else methods)])
    return [arms_lib.method(name, chosen.protocol) for name in names]


def _cell(arm: Arm, seed: int, out: pathlib.Path) -> Cell:
    return Cell(
        arm.name, f"{arm.title}, seed {seed}", arm.preset, arm.seeded(seed), out / RUNS / f"{arm.name}_seed{seed}"
    )


def _figure_title(paper: Table | None) -> str:
    number = paper.figure if paper else None
    return f"ROC curves (the paper's Fig. {number})" if number else "ROC curves"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
