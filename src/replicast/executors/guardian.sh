# Ends every process of a pool when the process that owns the pool is gone, however it went.
# Arguments: the pool's token, its scratch folder. Standard input: a process group a line, then "done" or end of file.
trap '' INT TERM HUP
groups=
while read -r word; do
  [ "$word" = done ] && exit 0
  groups="$groups -$word"
done
for round in 1 2 3; do
  for group in $groups; do kill -KILL -- "$group" 2>/dev/null; done
  for file in $(grep -ls "REPLICAST_POOL=$1" /proc/[0-9]*/environ 2>/dev/null); do
    process=${file#/proc/}
    kill -KILL "${process%/environ}" 2>/dev/null
  done
done
case $2 in */replicast-*) rm -rf -- "$2" ;; esac
