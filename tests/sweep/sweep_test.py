#!/usr/bin/env python3
"""mae_sweep.py: its statistics against known values, and its runs of a program that trains nothing.

    sweep_test.py PATH/mae_sweep.py
"""

import contextlib
import csv
import importlib.util
import io
import json
import math
import sys
import tempfile
import unittest
from pathlib import Path

SPEC = importlib.util.spec_from_file_location("mae_sweep", sys.argv.pop(1))
sys.dont_write_bytecode = True
mae_sweep = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(mae_sweep)

# Scores lr and epochs; fails for lr 9; is interrupted once for seed 7.
PROGRAM = """
import json, sys
from pathlib import Path
flags = dict(zip((w[2:] for w in sys.argv[1::2]), sys.argv[2::2]))
resumed = "--resume" in sys.argv
out = Path(flags["out"])
if flags["lr"] == "9":
    sys.exit("it went wrong")
out.mkdir(parents=True, exist_ok=True)
with open(out.parent / "starts", "a") as starts:
    starts.write("resumed" if resumed else "begun")
stopped = flags["seed"] == "7" and not resumed
(out / "training.safetensors").write_text("")
score = float(flags["lr"]) * float(flags.get("epochs", 1)) + int(flags["seed"]) % 3
(out / "summary.json").write_text(json.dumps({
    "status": "interrupted" if stopped else "done", "score": score, "deep": {"loss": -score}, "none": None}))
"""


class Statistics(unittest.TestCase):
    def test_quantiles_are_those_of_scipy(self):
        for share, degrees, expected in ((0.975, 1, 12.706204736174698), (0.975, 2, 4.302652729749462),
                                         (0.975, 3.7, 2.8675207071911895), (0.95, 1.3, 4.333339183467029),
                                         (0.975, 100, 1.9839715185235518)):
            self.assertAlmostEqual(mae_sweep.t_quantile(share, degrees) / expected, 1, places=10)

    def test_intervals_are_those_of_scipy(self):
        difference, half = mae_sweep.welch_interval([1, 2, 3.5], [2, 2.5, 4, 7])
        self.assertAlmostEqual(difference - half, -5.199579373861654, places=10)
        self.assertAlmostEqual(difference + half, 1.7829127071949866, places=10)
        self.assertTrue(math.isnan(mae_sweep.welch_interval([1], [2, 3])[1]))
        self.assertEqual(mae_sweep.welch_interval([1, 1], [3, 3]), (-2, 0))

    def test_deviations_are_of_samples(self):
        self.assertAlmostEqual(mae_sweep.deviation_of([1, 2, 4]), math.sqrt(7 / 3))
        self.assertTrue(math.isnan(mae_sweep.deviation_of([1])))


class Sweeps(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.out = Path(self.folder.name) / "sweep"
        self.program = Path(self.folder.name) / "program.py"
        self.program.write_text(PROGRAM)

    def sweep(self, *words, program=()):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            code = mae_sweep.sweep(["--out", str(self.out), "--metric", "score", *words, "--",
                                    sys.executable, str(self.program), *program])
        return code, said.getvalue()

    def rows(self):
        with open(self.out / "results.csv", newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def starts(self):
        return sorted(path.read_text() for path in self.out.glob("**/starts"))

    def test_a_grid_is_run_once_and_compared(self):
        words = ("--seeds", "0-1", "--grid", "lr=1,2", "--grid", "mask=a,b")
        code, said = self.sweep(*words)
        self.assertEqual(code, 0)
        self.assertEqual([(r["setting"], r["seed"], float(r["score"])) for r in self.rows()][:3],
                         [("lr=1 mask=a", "0", 1), ("lr=1 mask=a", "1", 2), ("lr=1 mask=b", "0", 1)])
        self.assertEqual(len(self.rows()), 8)
        self.assertIn("| lr=2 mask=b | 2 | 2.5 | 0.707 | +1 [-2.042, +4.042] |", said)
        self.assertEqual((self.out / "table.md").read_text(), said[said.index("| setting"):])
        self.assertEqual(self.sweep(*words)[0], 0)
        self.assertEqual(self.starts(), ["begun"] * 8)
        self.assertEqual({row["status"] for row in self.rows()}, {"done before"})

    def test_a_flag_without_value_is_given_or_left_away(self):
        table = Path(self.folder.name) / "settings.csv"
        table.write_text("lr,instances,mask\n1,on,off\n1,off,a\n")
        settings = mae_sweep.settings_of_list(table)
        self.assertEqual([mae_sweep.words_of(setting) for setting in settings],
                         [["--lr", "1", "--instances"], ["--lr", "1", "--mask", "a"]])
        self.sweep("--seeds", "3", "--grid", "lr=1", "--grid", "instances=on,off")
        commands = [json.loads(path.read_text())[2:-1] for path in self.out.glob("**/command.json")]
        self.assertEqual(sorted(commands), [["--lr", "1", "--instances", "--seed", "3", "--out"],
                                            ["--lr", "1", "--seed", "3", "--out"]])

    def test_what_was_interrupted_is_resumed(self):
        self.assertEqual(self.sweep("--seeds", "7", "--grid", "lr=1")[0], 1)
        self.assertEqual(self.rows()[0]["score"], "")
        self.assertEqual(self.sweep("--seeds", "7", "--grid", "lr=1")[0], 0)
        self.assertEqual(self.starts(), ["begunresumed"])

    def test_a_run_that_fails_is_said_and_the_others_go_on(self):
        code, said = self.sweep("--seeds", "0,2", "--grid", "lr=9,1")
        self.assertEqual(code, 1)
        self.assertIn("failed, exit status 1", self.rows()[0]["status"])
        self.assertIn("| lr=9 | 0 | - | - | - |", said)
        self.assertIn("| lr=1 | 2 | 2 | 1.41 | the first |", said)

    def test_halving_keeps_the_best_and_runs_them_longer(self):
        table = Path(self.folder.name) / "settings.csv"
        table.write_text("lr,mask\n1,a\n4,\n3,b\n2,b\n")
        code, said = self.sweep("--seeds", "0,1", "--list", str(table), "--halving", "epochs=1,2,4")
        self.assertEqual(code, 0)
        runs = [(row["setting"], row["rung"]) for row in self.rows()][::2]
        self.assertEqual(runs, [("lr=1 mask=a", "epochs=1"), ("lr=4", "epochs=1"), ("lr=3 mask=b", "epochs=1"),
                                ("lr=2 mask=b", "epochs=1"), ("lr=4", "epochs=2"), ("lr=3 mask=b", "epochs=2"),
                                ("lr=4", "epochs=4")])
        self.assertIn("With epochs=4, of 4 settings:", said)
        self.assertIn("| lr=4 | 2 | 16.5 |", said)

    def test_less_may_be_better(self):
        self.sweep("--seeds", "0", "--grid", "lr=1,2", "--halving", "epochs=1,2", "--metric", "deep.loss", "--lower")
        self.assertEqual(self.rows()[-1]["setting"], "lr=2")

    def test_what_cannot_be_is_refused(self):
        self.sweep("--seeds", "0", "--grid", "lr=1")
        for words, program, why in (
                (["--seeds", "0", "--grid", "lr=1"], ["--mask", "b"], "by another command"),
                (["--grid", "lr"], [], "NAME=VALUE"), (["--seeds", "a"], [], "write numbers"),
                (["--seeds", "1,1"], [], "each once"), (["--halving", "epochs=3,2"], [], "FLAG=SMALL"),
                (["--grid", "lr=1"], ["--lr=2"], "each run's own"), (["--keep", "1"], [], "2 or more"),
                (["--seeds", "0", "--grid", "lr=3", "--metric", "nothing"], [], "has no nothing; it has deep"),
                (["--grid", "a=1", "--list", "x"], [], "not both")):
            with self.subTest(why), self.assertRaisesRegex(mae_sweep.Refused, why):
                self.sweep(*words, program=program)


if __name__ == "__main__":
    unittest.main()
