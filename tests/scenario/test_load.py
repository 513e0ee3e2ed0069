"""What a scenario means once it is read: values, extends, templates, overrides, switches, JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

from exchange_sim.errors import JournalCorrupt, ScenarioError
from exchange_sim.scenario import Scenario, load
from exchange_sim.scenario.files import bundled_folder
from exchange_sim.scenario.load import problems_of
from exchange_sim.units import NANOS_PER_MINUTE, NANOS_PER_MS, NANOS_PER_S

DATA = Path(__file__).parent / "data"
GOOD = DATA / "good.toml"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("good.toml", "maker.py"):
        (tmp_path / name).write_text((DATA / name).read_text())
    return tmp_path


def write(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text)
    return file


def problems(file: Path, *overrides: str, without: tuple[str, ...] = ()) -> list[str]:
    """``line: message / hint`` of every problem."""
    with pytest.raises(ScenarioError) as caught:
        load(file, overrides, without)
    return [f"{p.path}:{p.line}: {p.message} / {p.hint}" for p in caught.value.problems]


def test_values_are_exact_and_in_the_units_of_their_names() -> None:
    """Decimals stay decimals, durations and times become nanoseconds."""
    scenario = load(GOOD)

    assert scenario.end_ns - scenario.start_ns == 10 * NANOS_PER_MINUTE
    assert scenario.assets["BTC"].interest_daily == Decimal("0.0001")
    assert scenario.venues["leading"].service_time_ns == 20_000
    assert scenario.venues["leading"].fees[1].taker == Decimal("0.0003")
    assert [tier.upto for tier in scenario.assets["BTC"].collateral][-1] is None
    assert scenario.shocks[0].at_ns == scenario.start_ns + 5 * NANOS_PER_MINUTE
    assert scenario.outages[0].start_ns == scenario.start_ns + 60 * NANOS_PER_S
    assert scenario.participants[2].name == "mm-ladder"
    assert scenario.participants[2].params["half_spread_bps"] == Decimal("1.5")
    assert scenario.participants[2].params["deep"]["when"] == "2025-10-10T21:00:00+00:00"


def test_templates_fill_in_and_items_win() -> None:
    """An instrument takes from its template what it does not say itself."""
    by_name = {item.name: item for item in load(GOOD).instruments}

    assert by_name["leading:BTCUSDT"].tick_size == Decimal("0.01")
    assert by_name["leading:USDEUSDT"].tick_size == Decimal("0.0001")


def test_latency_is_resolved_by_name_or_in_place() -> None:
    """A profile's name and a table in place give the same kind of thing."""
    people = {item.name: item for item in load(GOOD).participants}

    assert people["mm-ladder"].link.order.base_ns == NANOS_PER_MS
    assert people["mm-ladder"].link.ack.base_ns == 5 * NANOS_PER_MS
    assert people["arb"].link.order.base_ns == 3 * NANOS_PER_MS


def test_class_in_a_file_is_found_beside_the_scenario(folder: Path) -> None:
    """The reference that the loader of strategies gets does not depend on the working directory."""
    arb = next(item for item in load(folder / "good.toml").participants if item.name == "arb")

    assert arb.class_ref == f"{folder / 'maker.py'}:Maker"


def test_order_of_the_file_does_not_matter(folder: Path) -> None:
    """Two files with the same content in another order are the same scenario."""
    head, *sections = (folder / "good.toml").read_text().split("\n\n")
    shuffled = write(folder, "other.toml", "\n\n".join([*reversed(sections), head]))

    assert load(shuffled).to_json() == load(folder / "good.toml").to_json()


# ---- extends


def test_extends_merges_tables_and_named_items(folder: Path) -> None:
    """A child changes single values, adds items, and drops items by switching them off."""
    child = write(
        folder,
        "child.toml",
        """extends = "good"
scenario.name = "child"
venues.second.insurance = 5
[[participants]]
name = "mm-ladder"
count = 4
params = { levels = [9] }
[[participants]]
name = "arb"
enabled = false
[[participants]]
name = "new"
class = "strategies.x:Y"
venue = "second"
[[instruments]]
venue = "leading"
symbol = "BTCPERP"
price = 100
""",
    )

    scenario = load(child)
    people = {item.name: item for item in scenario.participants}

    assert (scenario.name, scenario.seed) == ("child", 7)
    assert scenario.venues["second"].insurance == 5
    assert scenario.venues["second"].numeraire == "USDT"
    assert sorted(people) == ["buyer", "mm-ladder", "new"]
    assert people["mm-ladder"].count == 4
    assert people["mm-ladder"].params["levels"] == [9]
    assert people["mm-ladder"].params["half_spread_bps"] == Decimal("1.5")
    assert next(i for i in scenario.instruments if i.name == "leading:BTCPERP").price == 100
    assert [Path(source.path).name for source in scenario.sources] == ["child.toml", "good.toml"]


def test_mistake_in_a_base_file_is_reported_at_the_base_file(folder: Path) -> None:
    """The line is the one to change, in whichever file it is."""
    text = (folder / "good.toml").read_text()
    write(folder, "good.toml", text.replace('latency = "near"', 'latency = "naer"'))
    child = write(folder, "child.toml", 'extends = "good.toml"\nscenario.seed = -1\n')
    line = text.splitlines().index('latency = "near"') + 1

    assert problems(child) == [
        f"{child}:2: scenario.seed must be a whole number of at least 0, not -1 / ",
        f"{folder / 'good.toml'}:{line}: there is no latency profile 'naer' / did you mean 'near'?",
    ]


def test_base_value_that_a_child_replaces_is_not_checked(folder: Path) -> None:
    """What is not used cannot be wrong."""
    text = (folder / "good.toml").read_text()
    write(folder, "good.toml", text.replace("seed = 7", 'seed = "seven"'))

    assert load(write(folder, "child.toml", 'extends = "good"\nscenario.seed = 8\n')).seed == 8


def test_an_item_is_changed_once_by_a_file(folder: Path) -> None:
    """The second of two items of one name is a mistake, not a second change of the base's item."""
    item = '[[participants]]\nname = "arb"\ncount = {}\n'
    text = 'extends = "good"\n' + item.format(2) + item.format(3)
    child = write(folder, "child.toml", text)

    (told,) = [line for line in problems(child) if "exists twice" in line]
    assert told.startswith(f"{child}:5:")
    assert f"first at {child}:2" in told


@pytest.mark.parametrize(
    ("link", "message"),
    [
        ('"child"', "circle: child -> child"),
        ('"nothing"', "no scenario is called 'nothing'"),
        ('"nothing.toml"', "extends 'nothing.toml', which is no file"),
        ('"sub/"', "extends 'sub/', which is a directory"),
        ("5", "must be the name or file of one other scenario"),
    ],
)
def test_extends_that_cannot_be_followed(link: str, message: str, folder: Path) -> None:
    """A wrong ``extends`` is located at the line that says it."""
    (folder / "sub").mkdir()
    child = write(folder, "child.toml", f"# a comment\nextends = {link}\n")

    (problem,) = problems_of(child)

    assert (problem.path, problem.line, problem.column) == (str(child), 2, 11)
    assert message in problem.message


def test_longer_circles_are_found(folder: Path) -> None:
    """a -> b -> a ends."""
    write(folder, "a.toml", 'extends = "b"\n')
    write(folder, "b.toml", 'extends = "a"\n')

    assert "a -> b -> a" in problems_of(folder / "a.toml")[0].message


# ---- overrides


def test_overrides_reach_tables_items_and_parameters(folder: Path) -> None:
    """Each form of address works, with and without quotes around texts."""
    scenario = load(
        folder / "good.toml",
        [
            "venues.leading.service_time=50us",
            'venues.second.transfer_delay="2m"',
            "instruments.leading:BTCPERP.depth_usd=2000000",
            "participants.mm-ladder.params.half_spread_bps=3",
            "participants.mm-ladder.params.new.deep=true",
            "templates.spot.min_notional=10",
            "mechanisms.adl=true",
            "latency.near.order.base=7ms",
            "shocks.1.params.size=2",
            "scenario.duration=20m",
        ],
        seed=99,
    )
    people = {item.name: item for item in scenario.participants}
    books = {item.name: item for item in scenario.instruments}

    assert scenario.seed == 99
    assert scenario.venues["leading"].service_time_ns == 50_000
    assert scenario.venues["second"].transfer_delay_ns == 2 * NANOS_PER_MINUTE
    assert books["leading:BTCPERP"].depth_usd == 2_000_000
    assert books["leading:USDEUSDT"].min_notional == 10
    assert people["mm-ladder"].params["half_spread_bps"] == 3
    assert people["mm-ladder"].params["new"] == {"deep": True}
    assert people["mm-ladder"].link.order.base_ns == 7 * NANOS_PER_MS
    assert scenario.mechanisms.adl
    assert scenario.shocks[0].params == {"size": 2}


@pytest.mark.parametrize(
    ("override", "message", "hint"),
    [
        ("venues.leadng.insurance=1", "there is no 'venues.leadng'", "'leading'"),
        ("participants.mm-lader.count=1", "there is no 'participants.mm-lader'", "'mm-ladder'"),
        ("participants.9.count=1", "there is no 'participants.9'", "known: arb"),
        ("venue.leading.insurance=1", "there is no 'venue'", "'venues'"),
        ("scenario.sede=1", "there is no 'scenario.sede'", "'seed'"),
        ("instruments.leading:BTCPERP.depth=1", "unknown key", "'depth_usd'"),
        ("venues.leading.insurance.x=1", "is a value, not a table", ""),
        ("scenario.seed=abc", "must be a whole number", ""),
        ("scenario.seed", "must be path=value", ""),
        ("=1", "must be path=value", ""),
        ("..=1", "must be path=value", ""),
        ("venues=1", "'venues' is not one value", "--set a.b=c"),
        ("participants=[1]", "must be a table", ""),
        ("scenario.duration=1\n2", "must be a duration", ""),
    ],
)
def test_wrong_override_names_the_nearest(
    override: str, message: str, hint: str, folder: Path
) -> None:
    """A wrong path is a located problem whose place is the option itself."""
    with pytest.raises(ScenarioError) as caught:
        load(folder / "good.toml", [override])

    problem = caught.value.problems[0]
    assert (problem.path, problem.line) == (f"--set {override}", 0)
    assert message in problem.message
    assert hint in problem.hint


def test_without_switches_off_and_drops(folder: Path) -> None:
    """What a mechanism switches is gone; the mechanism itself is recorded."""
    scenario = load(
        folder / "good.toml", without=["dip_buyers", "transfer_suspension", "macro_shock"]
    )

    assert [item.name for item in scenario.participants] == ["arb", "mm-ladder"]
    assert scenario.outages == ()
    assert [(shock.name, shock.enabled) for shock in scenario.shocks] == [("news", False)]
    assert not scenario.mechanisms.dip_buyers
    assert problems(folder / "good.toml", without=("dip_buyer",)) == [
        "--without dip_buyer:0: unknown mechanism 'dip_buyer' / did you mean 'dip_buyers'?"
    ]


def test_without_may_leave_a_dependent_mechanism_on(folder: Path) -> None:
    """A file that says both is contradictory; an experiment on the command line is not."""
    text = (folder / "good.toml").read_text()
    file = write(folder, "x.toml", text.replace("adl = false", "collateral_sale = true"))

    assert not load(file, without=["unified_account"]).mechanisms.unified_account


# ---- JSON


def test_json_is_exact_and_canonical() -> None:
    """A scenario survives the journal, and the text is a fixed point."""
    scenario = load(GOOD, ["participants.arb.params.x=0.10"])
    text = scenario.to_json()

    again = Scenario.from_json(text)

    assert again == scenario
    assert again.to_json() == text
    assert json.loads(text)["venues"]["leading"]["margin_pool"]["BTC"] == "100.5"


def test_json_does_not_depend_on_the_hash_seed() -> None:
    """Another process writes the same bytes."""
    code = f"from exchange_sim.scenario import load; print(load({str(GOOD)!r}).to_json())"
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=True,
            text=True,
            cwd=bundled_folder("scenarios").parent,
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
        ).stdout.strip()
        for seed in ("0", "42")
    }

    assert texts == {load(GOOD).to_json()}


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-1],
        lambda text: "[]",
        lambda text: "5",
        lambda text: text.replace('"format":1', '"format":2'),
        lambda text: text.replace('"decimals":8', '"decimals":"8"'),
        lambda text: text.replace('"adl":false', '"adl":0'),
        lambda text: text.replace('"adl":false', '"adl":false,"adm":true'),
        lambda text: text.replace('"exogenous":["one burst of selling"]', '"exogenous":"one"'),
        lambda text: text.replace('"beta":"1"', '"beta":1.5'),
        lambda text: text.replace('"name":"good"', '"name":null'),
        lambda text: "[" * 100_000,
    ],
)
def test_damaged_json_is_a_corrupt_journal(damage) -> None:
    """The journal's header is checked as strictly as a file."""
    text = damage(load(GOOD).to_json())

    with pytest.raises(JournalCorrupt):
        Scenario.from_json(text)


def test_problem_after_loading_is_located() -> None:
    """Checks of the builder point into the file; an unknown address at the table around it."""
    scenario = load(GOOD)
    text = GOOD.read_text().splitlines()

    problem = scenario.problem("participants.mm-ladder.params.half_spread_bps", "too small")
    nearby = scenario.problem("participants.mm-ladder.params.none.such", "missing")

    assert text[problem.line - 1].startswith("params = { half_spread_bps")
    assert problem.column == text[problem.line - 1].index("1.5") + 1
    assert nearby.line == problem.line
    assert scenario.problem("elsewhere", "x").path == str(GOOD)
