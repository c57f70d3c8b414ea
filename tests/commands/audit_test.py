from ctcov_tf import cli
from ctcov_tf.audit.verdict import Limits


def test_limits_of_an_audit_are_those_of_its_module():
    given = vars(cli.parser().parse_args(["audit", "folder", "--max-auc", "0.7", "--no-pictures"]))
    limits = {name: given[name] for name in vars(Limits())}
    assert limits == vars(Limits(max_auc=0.7))
    assert given["pictures"] is False
    assert given["json"] is False
