"""What every asset carries, and that nothing hangs in the air."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import dagster as dg
import pytest

from dagster_project.components.common import WAREHOUSE_POOL
from dagster_project.components.config_assets import MEANINGS
from dagster_project.components.dbt_models import DBT_PROJECT
from dagster_project.entities import ENTITIES
from dagster_project.provider_settings import PROVIDERS
from dagster_project.settings import MARTS

MART = dg.AssetKey(["published", "mart"])
CHECK_SENTENCE = r"\S.+\. If it fails, (nothing is published|the run goes on)\b.+"
OF_PROVIDERS = {*PROVIDERS, "providers", "landing", "http_client", "fields", "raw_tables", "reads"}
GROUPS = {
    "raw_files": "ingest",
    "raw_config": "ingest",
    "raw_quarantine": "ingest",
    "published": "publish",
    "exports": "publish",
    "alerts": "activate",
    "validation": "validate",
}


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    return dict(json.loads(DBT_PROJECT.manifest_path.read_text()))


def is_of_provider(node: dict[str, Any], names: Iterable[str] = PROVIDERS) -> bool:
    """Whether only a company that enables one of these providers has it; the sample company enables none."""
    return any(name in node["tags"] or f"raw_{name}" == node.get("schema") for name in names)


def nodes_of(manifest: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Models or tests of the sample company."""
    alone = {node["unique_id"] for node in manifest["nodes"].values() if is_of_provider(node)}
    found = [node for node in manifest["nodes"].values() if node["resource_type"] == kind]
    return [node for node in found if node["unique_id"] not in alone and node.get("attached_node") not in alone]


def orphans(graph: Any) -> set[str]:
    """Assets that others depend on and nothing makes: a mistyped dependency becomes one without a word."""
    return {key.to_user_string() for key in graph.get_all_asset_keys() if not graph.get(key).is_materializable}


def test_the_server_loads_what_this_process_loads(served: dict[str, Any], graph: Any) -> None:
    assert served["errors"] == []
    assert served["assets"] == sorted(key.to_user_string() for key in graph.get_all_asset_keys())
    assert "score_day" in served["jobs"]
    assert served["schedules"] == ["daily"]


def test_the_workspace_names_the_location_as_pyproject_does(served: dict[str, Any]) -> None:
    import tomllib

    from dagster_project.settings import PROJECT_ROOT

    project = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert served["locations"] == [project["code_location_name"]]


def test_the_assets_of_every_room_are_there(graph: Any) -> None:
    keys = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert {f"raw_files/{name}" for name in ENTITIES} <= keys
    assert {f"raw_config/{name}" for name in MEANINGS} <= keys
    assert {f"marts/{name}" for name in MARTS} <= keys
    assert {
        "raw_quarantine/rejected_rows",
        "published/mart",
        "published/page",
        "exports/health_scores",
        "alerts/breaches",
    } <= keys


def test_keys_have_two_parts(graph: Any) -> None:
    assert [key for key in graph.get_all_asset_keys() if len(key.path) != 2] == []


def test_the_keys_of_models_are_dbts_names(graph: Any, manifest: dict[str, Any]) -> None:
    of_dbt = {f"{node['schema']}/{node['name']}" for node in nodes_of(manifest, "model")}
    in_dagster = {key.to_user_string() for key in graph.get_all_asset_keys() if "dbt" in graph.get(key).kinds}
    assert in_dagster == of_dbt


def test_the_keys_of_sources_are_dbts_names(graph: Any, manifest: dict[str, Any]) -> None:
    read = {
        f"{source['schema']}/{source['name']}" for source in manifest["sources"].values() if not is_of_provider(source)
    }
    made = {key.to_user_string() for key in graph.get_all_asset_keys()}
    assert read - made <= {name for name in read if name.startswith("raw_meta/")}


def test_groups_are_the_stages(graph: Any) -> None:
    for key in graph.get_all_asset_keys():
        assert graph.get(key).group_name == GROUPS.get(key.path[0], "transform"), key


def test_every_asset_says_what_it_is(graph: Any) -> None:
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert len(node.description or "") >= 10, key
        assert node.owners, key
        assert node.kinds, key


def test_descriptions_are_sentences(graph: Any) -> None:
    texts = {key.to_user_string(): graph.get(key).description for key in graph.get_all_asset_keys()}
    assert {key: text for key, text in texts.items() if not text.strip().endswith(".")} == {}
    assert {key: text for key, text in texts.items() if re.search(r"[(\[]'", text)} == {}, "Python shows through"


def test_tables_are_named_without_the_file_they_are_in(graph: Any) -> None:
    for key in graph.get_all_asset_keys():
        name = graph.get(key).metadata.get("dagster/table_name")
        assert name in (None, ".".join(key.path))


def test_nothing_depends_on_what_nobody_makes(graph: Any) -> None:
    assert orphans(graph) == set()


def test_a_provider_brings_its_tables_and_staging_and_nothing_else(
    served: dict[str, Any], billed: dict[str, Any], manifest: dict[str, Any]
) -> None:
    assert billed["errors"] == []
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    nodes = [*models, *manifest["sources"].values()]
    assert set(billed["assets"]) - set(served["assets"]) == {
        f"{node['schema']}/{node['name']}" for node in nodes if is_of_provider(node, ["stripe"])
    } | {"crm/stripe"}
    assert set(served["assets"]) < set(billed["assets"])


def test_every_check_of_a_provider_says_what_holds_and_what_to_do() -> None:
    from dagster_project.components.provider_assets import CHECKS

    assert [name for name, text in CHECKS.items() if not re.match(CHECK_SENTENCE, text)] == []


def test_code_of_a_provider_that_nobody_enables_is_not_loaded(live: dict[str, Any]) -> None:
    assert "dagster_project.connectors.files" in live["connectors"]
    assert {name for name in live["connectors"] if name.rpartition(".")[2] in OF_PROVIDERS} == set()


def test_a_mistyped_dependency_would_be_found() -> None:
    @dg.asset(key=["marts", "somewhere"], deps=[dg.AssetKey(["marts", "fct_helth_scores"])])
    def mistyped() -> None: ...

    assert orphans(dg.Definitions(assets=[mistyped]).resolve_asset_graph()) == {"marts/fct_helth_scores"}


def test_every_data_test_of_dbt_is_a_check(graph: Any, manifest: dict[str, Any]) -> None:
    tests = {node["name"] for node in nodes_of(manifest, "test")}
    assert len(tests) > 50
    assert tests - {key.name for key in graph.asset_check_keys} == set()


def test_every_check_says_what_holds_and_what_to_do(graph: Any) -> None:
    for key in graph.asset_check_keys:
        text = graph.get(key).description
        assert re.match(CHECK_SENTENCE, text), (key, text)


def test_the_checks_of_the_shipped_project_are_all_put_into_words(graph: Any) -> None:
    bare = [key for key in graph.asset_check_keys if " holds. If it fails" in graph.get(key).description]
    assert bare == [], "give the test a case in components/check_sentences.py, or a description in dbt"


def test_only_the_marts_that_grow_by_a_day_have_partitions(graph: Any) -> None:
    partitioned = {key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).partitions_def}
    assert partitioned == {"marts/fct_health_scores", "marts/fct_measure_scores"}


def test_a_backfill_of_many_days_is_one_run(graph: Any) -> None:
    for name in ("fct_health_scores", "fct_measure_scores"):
        assert graph.get(dg.AssetKey(["marts", name])).backfill_policy == dg.BackfillPolicy.single_run()


def test_days_are_those_of_config(graph: Any) -> None:
    keys = graph.get(dg.AssetKey(["marts", "fct_health_scores"])).partitions_def.get_partition_keys()
    assert (keys[0], keys[-1], len(keys)) == ("2025-07-01", "2026-06-30", 365)


def test_whoever_opens_the_warehouse_waits_for_its_pool(graph: Any) -> None:
    """Without the pool are only those that read the published mart and nothing else."""
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.pools == (set() if node.parent_keys == {MART} else {WAREHOUSE_POOL}), key


def test_connectors_try_again(definitions: dg.Definitions) -> None:
    for name in ENTITIES:
        op = definitions.resolve_assets_def(dg.AssetKey(["raw_files", name])).op
        assert op.retry_policy is not None, name
        assert op.retry_policy.max_retries >= 2


def test_raw_tables_show_their_contract(graph: Any) -> None:
    for name, entity in ENTITIES.items():
        schema = graph.get(dg.AssetKey(["raw_files", name])).metadata["dagster/column_schema"]
        assert [column.name for column in schema.columns] == list(entity.columns)
        assert all(column.description for column in schema.columns)
