#!/usr/bin/env bash
# The long trials of many processes: random kills, and two machines that lose their network. They need the built program
# (tools/quickstart.sh or cmake --preset release) and take about ten minutes; the two machines need root.
#
#   tools/soak.sh              all of them
#   tools/soak.sh kills [N]    N runs (50) of one and of two processes, killed at random moments; each ends as an unbroken one
#   tools/soak.sh machines     two network namespaces as two machines: a first one whose own name is 127.0.1.1, as Debian
#                              has it; a link that is slow, dropped and restored
set -euo pipefail
cd "$(dirname "$0")/.."

program=$PWD/build/dualpath
work=$(mktemp -d)
hosts=()  # folders of ours beside the namespaces of others
trap 'clean' EXIT

clean() {
  jobs -p | xargs -r kill -9 2>/dev/null || true
  ip netns delete dualpath-a 2>/dev/null || true
  ip netns delete dualpath-b 2>/dev/null || true
  rm -rf "$work" "${hosts[@]}"
}

fail() {
  echo "soak: $*" >&2
  exit 1
}

[[ -x $program ]] || fail "no build/dualpath: build it first"
[[ -d build/reference/tiny_llama/outliers ]] ||
  .venv/bin/python tests/reference/make.py --out build/reference tiny_llama >/dev/null

write_recipe() {  # FOLDER STEPS
  mkdir -p "$1"
  ln -s "$PWD/build/reference/tiny_llama/outliers" "$1/model"
  .venv/bin/python - "$1" <<'PYTHON'
import json, pathlib, random, sys
words = "the a quantized model reads text token layer rounds and learns what".split()
for name, seed in (("book", 1), ("other", 2)):
    draw = random.Random(seed)
    lines = [json.dumps({"text": " ".join(draw.choices(words, k=120)) + " "}) for _ in range(10)]
    pathlib.Path(sys.argv[1], name + ".jsonl").write_text("\n".join(lines) + "\n")
PYTHON
  cat >"$1/recipe.yaml" <<YAML
model: {path: model, dtype: float32}
data: {train: book.jsonl, out_of_domain: other.jsonl, window: 32}
quantize: {calibration: {num_samples: 6}}
correction: {reduction: 8}
train: {output_dir: run, max_steps: $2, save_steps: 7, logging_steps: 3}
evaluate: {num_tokens: 300, bootstrap_samples: 100}
num_threads: 1
YAML
}

# SHA-256 of what a finished run leaves, but for times, logs and pages.
result_of() {  # FOLDER
  (cd "$1/run" && find . \( -name '*.safetensors' -o -name selection.json \) -print0 | sort -z | xargs -0 sha256sum)
}

kill_at_random() {  # FOLDER PROCESSES
  local pid victim victims
  (cd "$1" && exec "$program" train recipe.yaml --processes "$2") >/dev/null 2>&1 &
  pid=$!
  sleep "$((RANDOM % 2)).$((RANDOM % 900 + 100))"
  mapfile -t victims < <(pgrep -P "$pid" || true)
  victims+=("$pid")  # the launcher, or the one process
  kill -9 "${victims[RANDOM % ${#victims[@]}]}" 2>/dev/null || true
  wait "$pid" 2>/dev/null || true
  for victim in "${victims[@]}"; do
    while kill -0 "$victim" 2>/dev/null; do sleep 0.1; done
  done
}

soak_kills() {  # COUNT
  local processes run killed
  RANDOM=7
  for processes in 1 2; do
    write_recipe "$work/whole$processes" 60
    (cd "$work/whole$processes" && "$program" train recipe.yaml --processes $processes) >/dev/null 2>&1
    for ((run = 0; run < $1 / 2; ++run)); do
      write_recipe "$work/killed" 60
      for killed in 1 2 3; do kill_at_random "$work/killed" $processes; done
      (cd "$work/killed" && "$program" train recipe.yaml --processes $processes) >"$work/log" 2>&1 ||
        fail "run $run of $processes processes did not go on: $(tail -1 "$work/log")"
      [[ $(result_of "$work/killed") == $(result_of "$work/whole$processes") ]] ||
        fail "run $run of $processes processes differs from the unbroken one"
      [[ -z $(find "$work/killed" -name '*.tmp-*') ]] || fail "run $run of $processes processes left something half-written"
      rm -rf "$work/killed"
    done
    echo "soak: $(($1 / 2)) runs of $processes processes, each killed three times: all ended as the unbroken one"
  done
}

# Gives a namespace a file /etc/hosts of its own, in which the first machine has this address.
name_first() {  # NAMESPACE ADDRESS
  local folder=/etc/netns/dualpath-$1
  mkdir -p /etc/netns
  mkdir "$folder" || fail "$folder is there already"
  hosts+=("$folder")
  printf '127.0.0.1 localhost\n%s dualpath-first\n' "$2" >"$folder/hosts"
}

# Starts rank $2 of two in namespace dualpath-$1.
on_machine() {  # NAMESPACE RANK FOLDER ARGUMENT...
  local namespace=$1 rank=$2 folder=$3
  shift 3
  (cd "$folder" && exec ip netns exec "dualpath-$namespace" env RANK="$rank" WORLD_SIZE=2 LOCAL_RANK=0 \
    LOCAL_WORLD_SIZE=1 MASTER_ADDR=dualpath-first MASTER_PORT=29577 "$program" train recipe.yaml "$@")
}

soak_machines() {
  local first second name
  ((EUID == 0)) || { echo "soak: SKIP: two machines need root, for network namespaces"; return; }
  for name in a b; do
    ip netns add dualpath-$name
    ip -n dualpath-$name link set lo up
  done
  name_first a 127.0.1.1  # as Debian's installer writes it
  name_first b 10.77.0.1
  ip link add dualpath-a netns dualpath-a type veth peer name dualpath-b netns dualpath-b ||
    { echo "soak: SKIP: this kernel gives no veth pairs"; return; }
  ip -n dualpath-a address add 10.77.0.1/24 dev dualpath-a
  ip -n dualpath-b address add 10.77.0.2/24 dev dualpath-b
  ip -n dualpath-a link set dualpath-a up
  ip -n dualpath-b link set dualpath-b up
  local speed="10 Mbit/s"
  for name in a b; do
    write_recipe "$work/$name" 60
    ip netns exec dualpath-$name tc qdisc add dev dualpath-$name root tbf rate 10mbit burst 16kb latency 200ms ||
      speed="full speed, since this kernel cannot slow a link down"
  done

  on_machine a 0 "$work/a" >"$work/log.a" 2>&1 & first=$!
  on_machine b 1 "$work/b" >"$work/log.b" 2>&1 & second=$!
  wait $first && wait $second || fail "two machines: $(tail -1 "$work/log.a"); $(tail -1 "$work/log.b")"
  echo "soak: two machines, each with a folder of its own, over $speed, the first one's own name 127.0.1.1: done"
  for name in a b; do ip netns exec dualpath-$name tc qdisc del dev dualpath-$name root 2>/dev/null || true; done

  write_recipe "$work/c" 100000
  write_recipe "$work/d" 100000
  on_machine a 0 "$work/c" --timeout 5 >"$work/log.a" 2>&1 & first=$!
  on_machine b 1 "$work/d" --timeout 5 >"$work/log.b" 2>&1 & second=$!
  while [[ ! -s $work/c/run/log.jsonl ]]; do sleep 0.2; done
  ip -n dualpath-b link set dualpath-b down
  sleep 2
  ip -n dualpath-b link set dualpath-b up
  sleep 3
  kill -0 $first 2>/dev/null || fail "a link that was away for 2 s ended the run: $(tail -1 "$work/log.a")"
  echo "soak: a link that was away for 2 s, within the timeout of 5 s: the run went on"
  ip -n dualpath-b link set dualpath-b down
  ! wait $first || fail "a dropped link was not noticed"
  ! wait $second || fail "a dropped link was not noticed on the second machine"
  grep -q "process 1 of 2" "$work/log.a" || fail "the lost process was not named: $(tail -1 "$work/log.a")"
  echo "soak: a dropped link: $(tail -1 "$work/log.a" | cut -c1-160)"
}

case "${1:-all}" in
  all) soak_kills 50; soak_machines ;;
  kills) soak_kills "${2:-50}" ;;
  machines) soak_machines ;;
  *) echo "usage: tools/soak.sh [kills [N] | machines]" >&2; exit 2 ;;
esac
