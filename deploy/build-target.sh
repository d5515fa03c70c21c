#!/usr/bin/env bash
# Makes the built-in target from nothing, by the recipes in sweeps/target:
#
#   deploy/build-target.sh [FOLDER]
#
# Prepares the text, learns a tokenizer, trains the model, decomposes it by every recipe decompose-*.yaml, harvests each
# decomposition, and packs all of it into Sources/pdsweep/Targets/reference, where the build finds it. FOLDER
# (target/ if not given) keeps what is made on the way. A stage whose result is there, and newer than what it is made of,
# is passed over: run it again after an interruption. A model of another recipe is never overwritten: remove FOLDER/model
# first.
#
# Which subcomponents stand for German is decided last, by a rule that is the same for every language: those whose label
# is the language and nothing else, at the site of the most selective of them. `pdsweep target pack` writes them into
# provenance.json, with the recipes, the commands, the figures and the seconds of every stage.
#
# PDSWEEP names the program; by default it is the release build, which is made first.
# PDSWEEP_TARGET_OUTPUT names another folder to pack into.
set -euo pipefail
root=$(realpath -- "$(dirname "$0")/..")
folder=$(realpath -m -- "${1:-target}")
output=$(realpath -m -- "${PDSWEEP_TARGET_OUTPUT:-$root/Sources/pdsweep/Targets/reference}")
recipes=$root/sweeps/target
languages=(english=corpora/en.txt german=corpora/de.txt french=corpora/fr.txt spanish=corpora/es.txt italian=corpora/it.txt)

if [ -z "${PDSWEEP:-}" ]; then
  "$root/deploy/packages.sh"
  swift build --package-path "$root" -c release --product pdsweep
  PDSWEEP=$(swift build --package-path "$root" -c release --show-bin-path)/pdsweep
fi
PDSWEEP=$(realpath -- "$PDSWEEP")
export PDSWEEP

mkdir -p "$folder"
cd "$folder"

# What is being done, for the log: one line of JSON for each time that work on a stage began.
current= command= begin=0
log() {
  if [ -n "$current" ]; then
    printf '{"stage":"%s","command":"%s","seconds":%d,"finished":%s}\n' \
      "$current" "$command" $((SECONDS - begin)) "$1" >>stages.jsonl
  fi
  current=
}
trap 'log false' EXIT

# Does a stage unless its result is newer than all it is made of: stage NAME RESULT [INPUT]... -- COMMAND...
stage() {
  local name=$1 result=$2 is_new=true
  shift 2
  if [ ! -e "$result" ]; then is_new=false; fi
  while [ "$1" != -- ]; do
    if [ "$1" -nt "$result" ]; then is_new=false; fi
    shift
  done
  shift
  if "$is_new"; then
    echo "$name: $result is there"
    return
  fi
  # As it would be typed in the package's folder, whatever the machine.
  command=${*//$PDSWEEP/pdsweep}
  command=${command//$root\//}
  echo "$name: $command"
  begin=$SECONDS
  current=$name
  "$@"
  log true
}

stage corpora corpora/it.cut.json -- "$root/deploy/corpora.sh" corpora
texts=(corpora/{en,de,fr,es,it}.txt)

# English is to have twice the text of each other language.
stage tokenizer tokenizer.json "${texts[@]}" -- "$PDSWEEP" tokenizer train --output tokenizer.json --vocabulary 2048 \
  --corpus corpora/en.txt --corpus corpora/de.txt=0.5 --corpus corpora/fr.txt=0.5 --corpus corpora/es.txt=0.5 \
  --corpus corpora/it.txt=0.5

stage pretrain model/pretraining.json "$recipes/pretrain.yaml" tokenizer.json "${texts[@]}" -- \
  "$PDSWEEP" pretrain "$recipes/pretrain.yaml" --corpora corpora --tokenizer tokenizer.json --output model

# Without examples: the text is not ours to give away.
decompositions=()
for recipe in "$recipes"/decompose-*.yaml; do
  name=$(basename "$recipe" .yaml)
  file=model/decomposition-${name#decompose-}.safetensors
  decompositions+=("$(basename "$file")")
  stage "$name" "${file%.safetensors}.provenance.json" "$recipe" model/model.safetensors "${texts[@]}" -- \
    "$PDSWEEP" decompose "$recipe" --model model --corpora corpora --output "$file" --threads "$(nproc)"
  stage "${name/decompose/harvest}" "${file%.safetensors}.harvest.json" "$file" "${texts[@]}" -- \
    "$PDSWEEP" harvest "$file" --examples 0 --threads "$(nproc)" "${languages[@]/#/--corpus=}"
done

# Which text it was: names and versions of the packages.
for version in corpora/packages/*.version; do
  echo "$(basename "$version" .version) $(cat "$version")"
done >packages.txt

notes=(stages.jsonl packages.txt "$recipes"/*.yaml)
"$PDSWEEP" target pack model --output "$output" "${decompositions[@]/#/--decomposition=}" "${notes[@]/#/--note=}"
