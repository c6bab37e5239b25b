package lambent.runtime;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON as maps, lists, strings, numbers and booleans. */
final class Json {
    private static final int MAX_DEPTH = 512;

    private final String text;
    private int at;
    private int depth;

    private Json(String text) {
        this.text = text;
    }

    static Object parse(byte[] data) {
        Json p = new Json(new String(data, StandardCharsets.UTF_8));
        p.space();
        Object value = p.value();
        p.space();
        if (p.at != p.text.length()) throw p.wrong("end");
        return value;
    }

    private IllegalArgumentException wrong(String wanted) {
        return new IllegalArgumentException("invalid JSON at position " + at + ": " + wanted + " expected");
    }

    private void space() {
        while (at < text.length() && " \t\r\n".indexOf(text.charAt(at)) >= 0) at++;
    }

    private boolean take(char c) {
        space();
        if (at < text.length() && text.charAt(at) == c) {
            at++;
            return true;
        }
        return false;
    }

    private Object value() {
        space();
        if (at >= text.length()) throw wrong("value");
        if (++depth > MAX_DEPTH) throw wrong("less depth");
        try {
            switch (text.charAt(at)) {
                case '{':
                    return object();
                case '[':
                    return array();
                case '"':
                    return string();
                case 't':
                    return word("true", Boolean.TRUE);
                case 'f':
                    return word("false", Boolean.FALSE);
                case 'n':
                    return word("null", null);
                default:
                    return number();
            }
        } finally {
            depth--;
        }
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) throw wrong("value");
        at += word.length();
        return value;
    }

    private Map<String, Object> object() {
        Map<String, Object> out = new LinkedHashMap<>();
        at++;
        if (take('}')) return out;
        do {
            space();
            if (at >= text.length() || text.charAt(at) != '"') throw wrong("name");
            String name = string();
            if (!take(':')) throw wrong("':'");
            out.put(name, value());
        } while (take(','));
        if (!take('}')) throw wrong("'}'");
        return out;
    }

    private List<Object> array() {
        List<Object> out = new ArrayList<>();
        at++;
        if (take(']')) return out;
        do {
            out.add(value());
        } while (take(','));
        if (!take(']')) throw wrong("']'");
        return out;
    }

    private String string() {
        int from = ++at;
        StringBuilder b = null;
        for (; ; at++) {
            if (at >= text.length()) throw wrong("'\"'");
            char c = text.charAt(at);
            if (c == '"') {
                String tail = text.substring(from, at++);
                return b == null ? tail : b.append(tail).toString();
            }
            if (c < ' ') throw wrong("escape");
            if (c != '\\') continue;
            if (b == null) b = new StringBuilder();
            b.append(text, from, at);
            if (++at >= text.length()) throw wrong("escape");
            int simple = "\"\\/bfnrt".indexOf(text.charAt(at));
            if (simple >= 0) {
                b.append("\"\\/\b\f\n\r\t".charAt(simple));
            } else if (text.charAt(at) == 'u' && at + 4 < text.length()) {
                b.append((char) Integer.parseInt(text.substring(at + 1, at + 5), 16));
                at += 4;
            } else {
                throw wrong("escape");
            }
            from = at + 1;
        }
    }

    private Object number() {
        int from = at;
        boolean whole = true;
        for (; at < text.length() && "+-0123456789.eE".indexOf(text.charAt(at)) >= 0; at++) {
            whole &= ".eE".indexOf(text.charAt(at)) < 0;
        }
        String digits = text.substring(from, at);
        try {
            if (!whole) return Double.valueOf(digits);
            if (digits.length() < 10) return Integer.valueOf(digits);
            BigInteger n = new BigInteger(digits);
            if (n.bitLength() < 32) return n.intValue();
            if (n.bitLength() < 64) return n.longValue();
            return n;
        } catch (NumberFormatException e) {
            throw wrong("value");
        }
    }

    static String write(Object value) {
        StringBuilder b = new StringBuilder();
        append(b, value);
        return b.toString();
    }

    private static void append(StringBuilder b, Object value) {
        if (value instanceof Map) {
            b.append('{');
            String comma = "";
            for (Map.Entry<?, ?> e : ((Map<?, ?>) value).entrySet()) {
                b.append(comma);
                quote(b, String.valueOf(e.getKey()));
                b.append(':');
                append(b, e.getValue());
                comma = ",";
            }
            b.append('}');
        } else if (value instanceof List) {
            b.append('[');
            String comma = "";
            for (Object o : (List<?>) value) {
                b.append(comma);
                append(b, o);
                comma = ",";
            }
            b.append(']');
        } else if (value instanceof BigDecimal) {
            b.append(((BigDecimal) value).toPlainString());
        } else if (value instanceof Double && !Double.isFinite((Double) value) || value instanceof Float && !Float.isFinite((Float) value)) {
            quote(b, value.toString());
        } else if (value == null || value instanceof Number || value instanceof Boolean) {
            b.append(value);
        } else {
            quote(b, value.toString());
        }
    }

    private static void quote(StringBuilder b, String s) {
        b.append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            int simple = "\"\\\b\f\n\r\t".indexOf(c);
            if (simple >= 0) {
                b.append('\\').append("\"\\bfnrt".charAt(simple));
            } else if (c < ' ') {
                b.append(String.format("\\u%04x", (int) c));
            } else {
                b.append(c);
            }
        }
        b.append('"');
    }
}
