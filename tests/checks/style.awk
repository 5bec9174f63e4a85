# One file of C or Lua against the house's style; prints file:line: what.
#
# Comments and literals are blanked first, so that their inside is not taken
# for code: `code` is the line without them.

function complain(what)
{
    printf "%s:%d: %s\n", FILENAME, FNR, what
    bad = 1
}


# Blanks strings, characters and comments; in_comment is kept over lines.

function blank(line,    out, i, c, two, quote)
{
    out = ""
    quote = ""

    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        two = substr(line, i, 2)

        if (in_comment) {
            if (two == "*/") {
                in_comment = 0
                i++
            }

            continue
        }

        if (quote != "") {
            if (c == "\\") {
                i++

            } else if (c == quote) {
                quote = ""
                out = out c
            }

            continue
        }

        if (two == "/*") {
            in_comment = 1
            i++
            continue
        }

        if (two == "//") {
            complain("// comment")
            break
        }

        if (c == "\"" || c == "'") {
            quote = c
        }

        out = out c
    }

    return out
}


# A character may take more bytes than one: continuation bytes do not count.

function width(line)
{
    gsub(/[\200-\277]/, "", line)
    return length(line)
}


BEGIN {
    lua = (FILENAME_IS_LUA == 1)
    columns = lua ? 100 : 80
    blanks = 99
}


{
    if (width($0) > columns) {
        complain("longer than " columns " columns")
    }

    if ($0 ~ /\t/) {
        complain("tab")
    }

    if ($0 ~ /[ \t\r]$/) {
        complain("space at the end of the line")
    }

    if (FNR == 601) {
        complain("file of more than 600 lines")
    }

    last_empty = ($0 == "")
}


lua {
    next
}


# a condition, else and do are followed by a brace on this line or the next

{
    was_comment = in_comment
    code = blank($0)
    sub(/ +$/, "", code)

    if ($0 == "") {
        blanks++
        next
    }

    if (code == "" && !was_comment && $0 ~ /^\/\*/ && comment_blanks < 0) {
        comment_blanks = blanks
    }

    if (pending && code !~ /^ +\{/) {
        printf "%s:%d: no brace after %s\n", FILENAME, pending, pending_word
        bad = 1
    }

    pending = 0

    if (code ~ /^ +(\} else )?(if|while|for) \(/) {
        depth = 0
        condition = FNR
        condition_word = first_word(code)
    }

    if (condition) {
        depth += count(code, "(") - count(code, ")")

        # the condition ends here; `do {} while ();` begins with a brace

        if (depth == 0) {
            if (code !~ /\{/) {
                pending = condition
                pending_word = condition_word
            }

            condition = 0
        }
    }

    if (code ~ /^ +(\} )?(else|do)$/) {
        pending = FNR
        pending_word = first_word(code)
    }

    if (code ~ /(^| )(if|for|while|switch)\(/) {
        complain("no space before the parenthesis")
    }

    # a function's body opens with a brace in the first column

    if (code ~ /^\{/ && !in_body && !is_data) {
        check_function()
    }

    if (code ~ /^\{/) {
        in_body = 1
    }

    if (code ~ /^\}/) {
        in_body = 0
        is_data = 0
        head = 0
        end_of_body = FNR
        comment_blanks = -1
        blanks = 0
        next
    }

    # the first line of what may be a definition

    if (!in_body && !head && code != "" && code !~ /^[ #}]/) {
        head = FNR
        head_line = code
        head_blanks = (comment_blanks >= 0) ? comment_blanks : blanks
        is_data = 0
    }

    if (!in_body && code ~ /;$/) {
        head = 0
        comment_blanks = -1
    }

    if (!in_body && code ~ /\{$/ && code !~ /^\{/) {
        is_data = 1
        in_body = 1
    }

    if (code != "" || was_comment || in_comment || $0 ~ /\*\/$/) {
        if (code ~ /^#/) {
            comment_blanks = -1
            head = 0
        }

        blanks = 0
    }
}


function check_function()
{
    if (!head) {
        return
    }

    if (head_line ~ /\(/ && head_line !~ /^[A-Za-z_]+ *\(/ \
        && head_line !~ /__attribute__/)
    {
        printf "%s:%d: return type is not on a line of its own\n", FILENAME,
               head
        bad = 1
    }

    if (head_blanks < 2) {
        printf "%s:%d: less than two blank lines before the function\n",
               FILENAME, head
        bad = 1
    }

    if (head_blanks > 2 && head_blanks != 99) {
        printf "%s:%d: more than two blank lines before the function\n",
               FILENAME, head
        bad = 1
    }
}


function count(line, c,    n, i)
{
    n = 0

    for (i = 1; i <= length(line); i++) {
        n += (substr(line, i, 1) == c)
    }

    return n
}


function first_word(line)
{
    sub(/^[ }]+/, "", line)
    sub(/[^a-z].*/, "", line)

    return line
}


END {
    if (FNR != 0 && last_empty) {
        complain("empty line at the end of the file")
    }

    exit bad
}
