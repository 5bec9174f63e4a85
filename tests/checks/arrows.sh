#!/bin/sh
#
# arrows.sh [DIRECTORY]
#
# Who may include whom.  core/ includes itself, the C library's pure parts,
# hiredis' reader and libcrypto; ngx_module/ and worker/ include core/ and
# themselves, never each other.  Prints file:line: what.

set -u

cd "${1:-$(dirname "$0")/../..}" || exit 2

status=0

# check FOLDER OURS THEIRS: quoted includes match OURS, the others THEIRS

check() {
    for file in $(find "$1" -name '*.[ch]' | sort); do
        awk -v folder="$1" -v ours="$2" -v theirs="$3" '
            !/^[ \t]*#[ \t]*include/ {
                next
            }

            {
                name = $0
                sub(/^[ \t]*#[ \t]*include[ \t]*/, "", name)
                kind = substr(name, 1, 1)
                name = substr(name, 2)
                sub(/[">].*/, "", name)

                if (name !~ ((kind == "<") ? theirs : ours)) {
                    printf "%s:%d: %s must not include %s\n", FILENAME, FNR,
                           folder, name
                    bad = 1
                }
            }

            END {
                exit bad
            }
        ' "$file" || status=1
    done
}

pure='^(assert|ctype|errno|inttypes|limits|math|stdarg|stdbool|stddef|stdint'
pure="$pure|stdio|stdlib|string|strings|[en]mmintrin)[.]h\$"

check core '^core/[a-z0-9_]+[.]h$' "$pure|^openssl/|^hiredis/"

check ngx_module '^core/[a-z0-9_]+[.]h$|^ngx_http_sluice_[a-z]+[.]h$|^scripts[.]h$' \
    "$pure|^(fcntl|signal|unistd)[.]h\$|^sys/|^ngx_[a-z_]+[.]h\$|^openssl/|^hiredis/"

# whatever the system has, but nothing of NGINX

check worker '^core/[a-z0-9_]+[.]h$|^worker/[a-z0-9_/]+[.]h$|^scripts[.]h$' \
    '^[^n]|^n[^g]|^ng[^x]'

# core/ decides: it neither reads a clock nor opens, reads or writes anything

for file in $(find core -name '*.[ch]' | sort); do
    awk '
        /(^|[^a-z_0-9.>])(time|clock|clock_gettime|gettimeofday|localtime|gmtime|socket|connect|open|fopen|read|write|getenv|printf|fprintf|rand|random) *\(/ \
        && !/^ *\*|^ *\/\*/ {
            printf "%s:%d: core must not do I/O or read a clock: %s\n",
                   FILENAME, FNR, $0
            bad = 1
        }

        END {
            exit bad
        }
    ' "$file" || status=1
done

if [ $status -ne 0 ]; then
    echo "arrows: see above" >&2
    exit 1
fi

echo "arrows: core, ngx_module, worker"
