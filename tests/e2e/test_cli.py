# SPDX-License-Identifier: Apache-2.0
"""The program as a user meets it: every documented command, its files, its errors, its exit codes."""
import csv
import json
import os
import signal
import subprocess
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.join(ROOT, "siliscope")
FILES = ["summary.json", "operators.csv", "units.csv", "memory.csv", "tensors.csv", "links.csv",
         "roofline.csv", "run.yaml", "trace.json"]


def run(*words, code=0, cwd=ROOT):
    """Runs the program; returns what it printed."""
    done = subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, cwd=cwd,
                          timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    if code == 2:
        assert done.stderr.count("\n") == 1, done.stderr
    return done.stdout + done.stderr


def rows(path):
    """A CSV as a list of mappings."""
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_run_writes_every_file(tmp_path):
    out = tmp_path / "r"
    text = run("run", "--system", "tpu-v4", "--workload", "resnet50", "--batch", 8, "--out", out)
    assert "would help" in text and "samples/s" in text
    assert sorted(os.listdir(out)) == sorted(FILES + [".siliscope"])
    summary = json.loads((out / "summary.json").read_text())
    assert summary["workload"] == "resnet50" and summary["batch"] == 8
    assert abs(sum(summary["array_time_pct"].values()) - 100) < 0.1
    assert summary["would_help"]
    operators = rows(out / "operators.csv")
    assert abs(sum(float(r["time_us"]) for r in operators) - summary["time_us"]) < 0.02 * summary["time_us"]
    assert abs(sum(float(r["macs"]) for r in operators) / 8 / 1e9 - 4.089) < 0.01


def test_columns_are_documented(tmp_path):
    import yaml
    with open(os.path.join(ROOT, "configs", "schema", "columns.yaml"), encoding="utf-8") as file:
        documented = yaml.safe_load(file)
    run("run", "--system", "tpu-v1", "--workload", "mlp1", "--no-advice", "--out", tmp_path / "r")
    for name in FILES:
        if name.endswith(".csv"):
            with open(tmp_path / "r" / name, encoding="utf-8", newline="") as file:
                assert next(csv.reader(file)) == list(documented[name]), name
    summary = json.loads((tmp_path / "r" / "summary.json").read_text())
    assert [*summary, "would_help"] == list(documented["summary.json"])
    run("compare", "--systems", "tpu-v1", "--workloads", "mlp1", "--out", tmp_path / "c")
    with open(tmp_path / "c" / "comparison.csv", encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == list(documented["comparison.csv"])
    run("validate", "configs/measurements/tpu_v6e_gemm.csv", "--out", tmp_path / "v")
    with open(tmp_path / "v" / "summary.csv", encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == list(documented["summary.csv"])
    with open(tmp_path / "v" / "rows.csv", encoding="utf-8", newline="") as file:
        assert next(csv.reader(file))[10:] == list(documented["ops.csv"])


def test_same_input_same_bytes(tmp_path):
    for out in ("a", "b"):
        run("run", "--system", "tpu-v1", "--workload", "mlp0", "--no-advice", "--out", tmp_path / out)
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_trace_is_valid_and_nests(tmp_path):
    import jsonschema
    with open(os.path.join(ROOT, "configs", "schema", "trace.schema.json"), encoding="utf-8") as file:
        schema = json.load(file)
    for unit in ("ns", "cycles"):
        run("run", "--system", "tpu-v1", "--workload", "mlp1", "--no-advice", "--trace-time", unit,
            "--out", tmp_path / "r")
        trace = json.loads((tmp_path / "r" / "trace.json").read_text())
        jsonschema.validate(trace, schema)
        scale = 1000 if unit == "ns" else 1  # the format counts in microseconds

        def stamp(value):
            assert abs(value * scale - round(value * scale)) < 1e-6, value
            return round(value * scale)

        tracks = {}
        for event in trace["traceEvents"]:
            if event["ph"] == "X":
                tracks.setdefault((event["pid"], event["tid"]), []).append(event)
        for track, events in tracks.items():
            events.sort(key=lambda e: (e["ts"], e["dur"]))
            if track[1] < 2 and track[0] == 2:
                continue  # several copies are under way at a time
            for one, two in zip(events, events[1:]):
                assert stamp(one["ts"]) + stamp(one["dur"]) <= stamp(two["ts"]), (track, one, two)
        begun = [e["id"] for e in trace["traceEvents"] if e["ph"] == "s"]
        assert begun and begun == [e["id"] for e in trace["traceEvents"] if e["ph"] == "f"]


def test_trace_window_and_units(tmp_path):
    run("run", "--system", "tpu-v1", "--workload", "mlp1", "--no-advice", "--trace-window", "20us:40us",
        "--trace-units", "core0.array0", "--out", tmp_path / "r")
    trace = json.loads((tmp_path / "r" / "trace.json").read_text())
    slices = [e for e in trace["traceEvents"] if e["ph"] == "X" and e["pid"] == 2]
    assert slices and all(e["ts"] < 40 and e["ts"] + e["dur"] > 20 for e in slices)


def test_demo_compares_three_chips(tmp_path):
    text = run("demo", "--out", tmp_path / "d")
    for name in ("tpu-v1", "tpu-v4", "edge-tpu"):
        assert name in text
    with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
        shown = [line for line in file.read().splitlines() if line.startswith("resnet50  ")]
    assert len(shown) == 3 and all(line in text for line in shown), "README's table is stale"
    figures = os.listdir(str(tmp_path / "d") + "-figures")
    assert {"comparison.png", "comparison.svg", "attribution.png"} <= set(figures)
    table = rows(tmp_path / "d" / "comparison.csv")
    assert float(table[1]["samples_per_s"]) > float(table[0]["samples_per_s"])


def test_ops_and_validate(tmp_path):
    table = tmp_path / "list.csv"
    table.write_text('id,chip,op,dtype,shape,launch,measured_us\n'
                     'a,tpu-v6e,gemm,fp16,m=1024;n=1024;k=1024,kernel,8.8\n'
                     'b,tpu-v9,gemm,fp16,m=1;n=1;k=1,kernel,1\n'
                     'c,tpu-v1,gemm,int8,m=1;n=1,kernel,1\n')
    run("ops", table, "--out", tmp_path / "ops.csv", code=3)
    result = rows(tmp_path / "ops.csv")
    assert float(result[0]["simulated_us"]) > float(result[0]["roofline_us"]) > 0
    assert 'did you mean' in result[1]["error"] and "lacks k" in result[2]["error"]
    run("validate", table, "--out", tmp_path / "v", code=3)
    summary = rows(tmp_path / "v" / "summary.csv")
    assert len(summary) == 1 and float(summary[0]["mape_pct"]) < 10


def test_our_own_measurements(tmp_path):
    """The project's own small tables of measured hardware."""
    run("validate", "configs/measurements/tpu_v6e_gemm.csv", "--out", tmp_path / "v")
    assert float(rows(tmp_path / "v" / "summary.csv")[0]["mape_pct"]) < 6


def test_reference_tables(tmp_path):
    file = os.path.join(ROOT, "..", "shared", "reference", "tpu_gemm.csv")
    if not os.path.exists(file):
        pytest.skip("the larger reference tables are not beside the project")
    run("validate", file, "--out", tmp_path / "v")
    summary = rows(tmp_path / "v" / "summary.csv")[0]
    assert int(summary["rows"]) == 147 and float(summary["mape_pct"]) <= 5


@pytest.mark.parametrize("what", ["systems", "workloads", "operators", "figures", "passes", "hosts"])
def test_list(what):
    assert run("list", what).strip()


@pytest.mark.parametrize("name", ["array.rows", "array_util_pct", "memory_bandwidth", "conv", "4"])
def test_explain(name):
    assert name in run("explain", name)


def test_check():
    assert "good" in run("check", "configs/chips/tpu-v1.yaml")
    assert "4.089 GMAC" in run("check", "resnet50")
    assert run("check", "--print", "resnet18").startswith("graph ")


def test_set_changes_the_time(tmp_path):
    times = []
    for rows_of_array in (128, 64):
        run("run", "--system", "systolic-128x128", "--workload", "resnet18", "--no-advice",
            "--set", f"array.rows={rows_of_array}",
            "--out", tmp_path / "r")
        summary = json.loads((tmp_path / "r" / "summary.json").read_text())
        assert summary["peak_tops"] == pytest.approx(2 * rows_of_array * 128 * 1e-3)
        times.append(summary["time_us"])
    assert times[1] > times[0]


@pytest.mark.parametrize("words, message", [
    (["run", "--system", "tpu-v11", "--workload", "mlp0"], "did you mean"),
    (["run", "--system", "tpu-v1", "--workload", "resnet5"], "did you mean"),
    (["run", "--system", "tpu-v1", "--workload", "mlp0", "--set", "array.colums=2"], "did you mean \"columns\""),
    (["run", "--system", "tpu-v1", "--workload", "mlp0", "--set", "clock=5 MB"], "not a frequency"),
    (["run", "--system", "tpu-v1", "--workload", "mlp0", "--ideal", "dran"], "did you mean \"dram\""),
    (["run", "--system", "tpu-v1", "--workload", "mlp0", "--dtype", "fp33"], "no rate for data type"),
    (["run", "--system", "tpu-v1", "--workload", "mlp0", "--dim", "x"], "not name=N"),
    (["run", "--system", "tpu-v1", "--workload", "mlp0", "--seq", "8"], "--seq does not apply"),
    (["run", "--system", "tpu-v4", "--workload", "resnet18", "--seq", "8"], "no input has a symbolic sequence"),
    (["run", "--sytem", "tpu-v4"], "did you mean \"--system\""),
    (["run", "--system", "none.yaml", "--workload", "mlp0"], "no such file"),
    (["explain", "zzzzzzzzzzzz"], "nothing is called"),
    (["figures", "E999"], "no figure is called"),
    (["nonsense"], "siliscope"),
])
def test_mistakes_are_one_line(words, message, tmp_path):
    extra = ["--out", str(tmp_path / "o")] if words[0] == "run" else []
    assert message in run(*words, *extra, code=2)
    assert not os.listdir(tmp_path)


def test_hostile_files(tmp_path):
    bad = tmp_path / "bad.onnx"
    bad.write_bytes(b"\0" * 4096)
    assert "not an ONNX model" in run("check", bad, code=2)
    with open(bad, "wb") as file:
        file.truncate(2_000_000_000)  # sparse: zeros that take no room
    assert "not an ONNX model" in run("check", bad, code=2)
    onnx = pytest.importorskip("onnx")
    a = onnx.helper.make_node("Relu", ["x"], ["y"], name="first")
    b = onnx.helper.make_node("Relu", ["y"], ["x"], name="second")
    graph = onnx.helper.make_graph([a, b], "g", [], [])
    onnx.save(onnx.helper.make_model(graph), str(bad))
    assert "cycle" in run("check", bad, code=2)
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Loop", ["x"], ["y"], name="a_loop"),
         onnx.helper.make_node("NonZero", ["x"], ["z"], name="a_nonzero")], "g",
        [onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [4])], [])
    onnx.save(onnx.helper.make_model(graph), str(bad))
    text = run("check", bad, code=2)
    assert "Loop (a_loop)" in text and "NonZero (a_nonzero)" in text


def test_what_does_not_fit_is_a_result(tmp_path):
    text = run("run", "--system", "tpu-v4", "--workload", "vgg16", "--batch", 8, "--no-advice",
               "--set", "memory.capacity=64 MiB", "--out", tmp_path / "o", code=4)
    assert "does not fit" in text and "missing" in text
    assert not os.listdir(tmp_path)


def test_folders_of_others_are_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    assert "something else" in run("run", "--system", "tpu-v1", "--workload", "mlp0", "--out", tmp_path,
                                   code=2)
    assert os.listdir(tmp_path) == ["mine.txt"]
    run("run", "--system", "tpu-v1", "--workload", "mlp0", "--no-advice", "--out", "/proc/out", code=74)


def test_interrupted_runs_leave_nothing(tmp_path):
    table = tmp_path / "list.csv"
    lines = ["id,chip,op,dtype,shape,launch"]
    lines += [f"{i},tpu-v4,gemm,bf16,m=8192;n=16384;k=16384,kernel" for i in range(400)]
    table.write_text("\n".join(lines) + "\n")
    process = subprocess.Popen([PROGRAM, "compare", "--systems", "tpu-v4,tpu-v3,tpu-v2", "--workloads",
                                "gemm:m=16384;n=16384;k=16384," * 20, "--out", str(tmp_path / "o")],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.7)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 130
    assert os.listdir(tmp_path) == ["list.csv"]


def test_waveform_reads_back(tmp_path):
    """The VCD of an array holds what the cycle zoom computed: values by signal and time."""
    file = tmp_path / "array.vcd"
    record = json.loads(run("wavefront", "--system", "systolic-3x3", "--set",
                            "array.dataflow=output_stationary", "--vcd", file))
    names, values, now = {}, {}, None
    for line in file.read_text().splitlines():
        if line.startswith("$var"):
            _, _, _, identifier, name, _ = line.split()
            names[identifier] = name
        elif line.startswith("#"):
            now = int(line[1:]) // 1000  # 1 GHz
            values[now] = dict(values.get(now - 1, {}))
        elif line.startswith("r"):
            number, identifier = line[1:].split()
            values[now][names[identifier]] = float(number)
        elif line[:1] in "01" and line:
            values[now][names[line[1:]]] = int(line[0])
    assert len(record["frames"]) == record["cycles"] == 7
    for cycle, frame in enumerate(record["frames"]):
        for r in range(3):
            for c in range(3):
                assert values[cycle][f"active_{r}_{c}"] == frame["active"][r][c]
                assert values[cycle][f"sum_{r}_{c}"] == frame["sums"][r][c]


def test_an_idle_launcher_is_fast():
    run("--version")
    begin = time.perf_counter()
    for _ in range(5):
        run("--version")
    assert (time.perf_counter() - begin) / 5 < 0.25  # 0.1 s on an idle machine


def test_scale_sim_rows_through_the_program(tmp_path):
    """The whole program, not the array alone: cycles of folds with nothing hidden."""
    for flow, cycles in (("output_stationary", lambda r, c, m, n, k: -(-m // r) * -(-n // c) * (r + c + k - 2)),
                         ("weight_stationary", lambda r, c, m, n, k: -(-k // r) * -(-n // c) * (2 * r + c + m - 2))):
        table = tmp_path / "l.csv"
        table.write_text("id,chip,op,dtype,shape,launch\n"
                         "1,systolic-16x16,gemm,fp16,m=48;n=40;k=70,kernel\n")
        run("ops", table, "--out", tmp_path / "o.csv", "--set", f"array.dataflow={flow}",
            "--set", "array.weight_double_buffer=false", "--set", "array.overlap_fill_drain=false",
            "--set", "queues.issue=0", "--set", "mapping.output_block_rows=4096",
            "--ideal", "dram", "--ideal", "dma", "--ideal", "vector", "--ideal", "scratchpad")
        assert float(rows(tmp_path / "o.csv")[0]["matrix_cycles"]) == cycles(16, 16, 48, 40, 70), flow
