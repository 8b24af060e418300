# The mean distance of the second columns of two CSV files whose first columns and headings are the same.
#
#   awk -f mean-distance.awk one.csv other.csv
BEGIN { FS = "," }
FNR == 1 { next }
NR == FNR { value[$1] = $2; next }
$1 in value { distance = $2 - value[$1]; sum += distance < 0 ? -distance : distance; count++ }
END {
  if (!count) { print "the files have no row in common" > "/dev/stderr"; exit 1 }
  printf "%.2f\n", sum / count
}
