package lambent.runtime;

import java.lang.reflect.Array;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.GenericArrayType;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.lang.reflect.WildcardType;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Collection;
import java.util.Date;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;

/** Binds JSON to the types of handlers and back: maps, lists, beans, records, enums and what the event classes of Lambda use. */
final class Binding {
    private static final Map<Class<?>, Map<String, Setter>> SETTERS = new HashMap<>();

    private Binding() {}

    /** One property of a bean. */
    private static final class Setter {
        final Type type;
        final Method method;
        final Field field;

        Setter(Type type, Method method, Field field) {
            this.type = type;
            this.method = method;
            this.field = field;
        }
    }

    /** Returns a JSON value as a value of a type; variables of generic types are looked up in bound. */
    static Object bind(Object json, Type type, Map<TypeVariable<?>, Type> bound) throws ReflectiveOperationException {
        if (type instanceof TypeVariable) return bind(json, bound.getOrDefault(type, ((TypeVariable<?>) type).getBounds()[0]), bound);
        if (type instanceof WildcardType) return bind(json, ((WildcardType) type).getUpperBounds()[0], bound);
        if (type instanceof GenericArrayType) return array(json, ((GenericArrayType) type).getGenericComponentType(), bound);
        Type[] args = {};
        Map<TypeVariable<?>, Type> inner = bound;
        if (type instanceof ParameterizedType) {
            args = ((ParameterizedType) type).getActualTypeArguments();
            type = ((ParameterizedType) type).getRawType();
            inner = new HashMap<>(bound);
            TypeVariable<?>[] names = ((Class<?>) type).getTypeParameters();
            for (int i = 0; i < names.length; i++) inner.put(names[i], args[i] instanceof TypeVariable ? bound.getOrDefault(args[i], Object.class) : args[i]);
        }
        Class<?> c = (Class<?>) type;
        if (c == Optional.class) return Optional.ofNullable(json == null ? null : bind(json, args.length > 0 ? args[0] : Object.class, bound));
        if (json == null) return c.isPrimitive() ? Array.get(Array.newInstance(c, 1), 0) : null;
        if (c == Object.class || c.isInstance(json) && args.length == 0) return json;
        if (c == String.class) return json instanceof String ? json : scalar(json) ? json.toString() : wrong(json, c);
        if (c == byte[].class) return Base64.getDecoder().decode((String) json);
        if (c.isArray()) return array(json, c.getComponentType(), bound);
        if (c.isEnum()) return constant(c, json);
        if (Map.class.isAssignableFrom(c)) return map(json, c, args, bound);
        if (Collection.class.isAssignableFrom(c) || c == Iterable.class) return collection(json, c, args, bound);
        Object simple = simple(json, c);
        if (simple != null) return simple;
        if (!(json instanceof Map)) return fromScalar(json, c);
        return bean((Map<?, ?>) json, c, inner);
    }

    private static boolean scalar(Object json) {
        return json instanceof String || json instanceof Number || json instanceof Boolean;
    }

    private static Object wrong(Object json, Class<?> c) {
        throw new IllegalArgumentException("Cannot deserialize value of type `" + c.getName() + "` from " + (json instanceof Map ? "Object" : json instanceof List ? "Array" : "Scalar") + " value");
    }

    @SuppressWarnings({"unchecked", "rawtypes"})
    private static Object constant(Class<?> c, Object json) {
        for (Object o : c.getEnumConstants()) {
            if (((Enum) o).name().equals(json) || o.toString().equals(json)) return o;
        }
        throw new IllegalArgumentException("Cannot deserialize value of type `" + c.getName() + "` from \"" + json + "\": not one of the values accepted for Enum class");
    }

    private static Object array(Object json, Type of, Map<TypeVariable<?>, Type> bound) throws ReflectiveOperationException {
        if (!(json instanceof List)) return wrong(json, Object[].class);
        List<?> list = (List<?>) json;
        Class<?> c = of instanceof Class ? (Class<?>) of : (Class<?>) ((ParameterizedType) of).getRawType();
        Object out = Array.newInstance(c, list.size());
        for (int i = 0; i < list.size(); i++) Array.set(out, i, bind(list.get(i), of, bound));
        return out;
    }

    @SuppressWarnings("unchecked")
    private static Object map(Object json, Class<?> c, Type[] args, Map<TypeVariable<?>, Type> bound) throws ReflectiveOperationException {
        if (!(json instanceof Map)) return wrong(json, c);
        Map<Object, Object> out;
        if (!c.isInterface() && !Modifier.isAbstract(c.getModifiers())) out = (Map<Object, Object>) construct(c);
        else if (c.isAssignableFrom(LinkedHashMap.class)) out = new LinkedHashMap<>();
        else out = (Map<Object, Object>) (Map<?, ?>) new TreeMap<Object, Object>();
        for (Map.Entry<?, ?> e : ((Map<?, ?>) json).entrySet()) {
            out.put(args.length == 2 ? bind(e.getKey(), args[0], bound) : e.getKey(), args.length == 2 ? bind(e.getValue(), args[1], bound) : e.getValue());
        }
        return out;
    }

    @SuppressWarnings("unchecked")
    private static Object collection(Object json, Class<?> c, Type[] args, Map<TypeVariable<?>, Type> bound) throws ReflectiveOperationException {
        if (!(json instanceof List)) return wrong(json, c);
        Collection<Object> out;
        if (!c.isInterface() && !Modifier.isAbstract(c.getModifiers())) out = (Collection<Object>) construct(c);
        else if (Set.class.isAssignableFrom(c)) out = new LinkedHashSet<>();
        else out = new ArrayList<>();
        for (Object o : (List<?>) json) out.add(args.length == 1 ? bind(o, args[0], bound) : o);
        return out;
    }

    /** Numbers, booleans and times; null for other types. */
    private static Object simple(Object json, Class<?> c) {
        if (c == boolean.class || c == Boolean.class) return json instanceof Boolean ? json : Boolean.valueOf(json.toString());
        if (c == char.class || c == Character.class) return json.toString().charAt(0);
        if (c.isPrimitive() || Number.class.isAssignableFrom(c)) {
            BigDecimal n;
            try {
                n = new BigDecimal(json.toString());
            } catch (NumberFormatException e) {
                return wrong(json, c);
            }
            if (c == int.class || c == Integer.class) return n.intValueExact();
            if (c == long.class || c == Long.class) return n.longValue();
            if (c == double.class || c == Double.class) return n.doubleValue();
            if (c == float.class || c == Float.class) return n.floatValue();
            if (c == short.class || c == Short.class) return n.shortValueExact();
            if (c == byte.class || c == Byte.class) return n.byteValueExact();
            if (c == BigInteger.class) return n.toBigInteger();
            if (c == BigDecimal.class) return n;
            return null;
        }
        if (c == Date.class) return json instanceof Number ? epoch((Number) json) : Date.from(Instant.parse(json.toString()));
        if (c == Instant.class) return json instanceof Number ? Instant.ofEpochMilli(epoch((Number) json).getTime()) : Instant.parse(json.toString());
        if (c == ByteBuffer.class) return ByteBuffer.wrap(Base64.getDecoder().decode(json.toString()));
        return null;
    }

    /** Event sources send times in seconds, with a fraction, or in milliseconds. */
    private static Date epoch(Number n) {
        double v = n.doubleValue();
        return new Date((long) (v < 1e11 ? v * 1000 : v));
    }

    private static Object fromScalar(Object json, Class<?> c) throws ReflectiveOperationException {
        // Joda's DateTime, java.net.URL and the like are made from their text.
        for (Class<?> arg : new Class<?>[] {String.class, Object.class}) {
            try {
                return c.getConstructor(arg).newInstance(arg == String.class ? json.toString() : json);
            } catch (NoSuchMethodException e) {
                continue;
            }
        }
        return wrong(json, c);
    }

    private static Object construct(Class<?> c) throws ReflectiveOperationException {
        Constructor<?> k = c.getDeclaredConstructor();
        k.setAccessible(true);
        return k.newInstance();
    }

    private static Object bean(Map<?, ?> json, Class<?> c, Map<TypeVariable<?>, Type> bound) throws ReflectiveOperationException {
        if (isRecord(c)) return record(json, c, bound);
        Object out = construct(c);
        Map<String, Setter> setters = setters(c);
        for (Map.Entry<?, ?> e : json.entrySet()) {
            Setter s = setters.get(((String) e.getKey()).toLowerCase(Locale.ROOT));
            if (s == null) continue;
            Object value = bind(e.getValue(), s.type, bound);
            if (s.method != null) s.method.invoke(out, value);
            else s.field.set(out, value);
        }
        return out;
    }

    /** The properties of a class by name in lower case: the event classes spell some otherwise than the events do. */
    private static synchronized Map<String, Setter> setters(Class<?> c) {
        return SETTERS.computeIfAbsent(c, k -> {
            Map<String, Setter> out = new HashMap<>();
            for (Field f : k.getFields()) {
                if (!Modifier.isStatic(f.getModifiers()) && !Modifier.isFinal(f.getModifiers())) out.put(f.getName().toLowerCase(Locale.ROOT), new Setter(f.getGenericType(), null, f));
            }
            for (Method m : k.getMethods()) {
                if (m.getName().length() < 4 || !m.getName().startsWith("set") || m.getParameterCount() != 1 || m.isBridge() || Modifier.isStatic(m.getModifiers())) continue;
                m.setAccessible(true);
                out.put(m.getName().substring(3).toLowerCase(Locale.ROOT), new Setter(m.getGenericParameterTypes()[0], m, null));
            }
            return out;
        });
    }

    private static boolean isRecord(Class<?> c) {
        return c.getSuperclass() != null && c.getSuperclass().getName().equals("java.lang.Record");
    }

    private static Object record(Map<?, ?> json, Class<?> c, Map<TypeVariable<?>, Type> bound) throws ReflectiveOperationException {
        Object[] parts = (Object[]) Class.class.getMethod("getRecordComponents").invoke(c);
        Class<?>[] types = new Class<?>[parts.length];
        Object[] values = new Object[parts.length];
        for (int i = 0; i < parts.length; i++) {
            Class<?> component = parts[i].getClass();
            types[i] = (Class<?>) component.getMethod("getType").invoke(parts[i]);
            values[i] = bind(json.get(component.getMethod("getName").invoke(parts[i])), (Type) component.getMethod("getGenericType").invoke(parts[i]), bound);
        }
        Constructor<?> k = c.getDeclaredConstructor(types);
        k.setAccessible(true);
        return k.newInstance(values);
    }

    /** Returns a value as JSON. */
    static Object unbind(Object value) throws ReflectiveOperationException {
        if (value == null || value instanceof String || value instanceof Number || value instanceof Boolean) return value;
        if (value instanceof Optional) return unbind(((Optional<?>) value).orElse(null));
        if (value instanceof Character || value instanceof Enum) return value instanceof Enum ? ((Enum<?>) value).name() : value.toString();
        if (value instanceof Date) return ((Date) value).getTime();
        if (value instanceof byte[]) return Base64.getEncoder().encodeToString((byte[]) value);
        if (value instanceof ByteBuffer) {
            ByteBuffer copy = ((ByteBuffer) value).duplicate();
            byte[] data = new byte[copy.remaining()];
            copy.get(data);
            return Base64.getEncoder().encodeToString(data);
        }
        if (value instanceof Map) {
            Map<String, Object> out = new LinkedHashMap<>();
            for (Map.Entry<?, ?> e : ((Map<?, ?>) value).entrySet()) out.put(String.valueOf(e.getKey()), unbind(e.getValue()));
            return out;
        }
        if (value instanceof Iterable || value.getClass().isArray()) {
            List<Object> out = new ArrayList<>();
            if (value instanceof Iterable) for (Object o : (Iterable<?>) value) out.add(unbind(o));
            else for (int i = 0; i < Array.getLength(value); i++) out.add(unbind(Array.get(value, i)));
            return out;
        }
        if (value.getClass().getName().startsWith("java.")) return value.toString();
        return properties(value);
    }

    private static Map<String, Object> properties(Object bean) throws ReflectiveOperationException {
        Map<String, Object> out = new LinkedHashMap<>();
        Class<?> c = bean.getClass();
        if (isRecord(c)) {
            for (Object part : (Object[]) Class.class.getMethod("getRecordComponents").invoke(c)) {
                Method m = (Method) part.getClass().getMethod("getAccessor").invoke(part);
                m.setAccessible(true);
                out.put(m.getName(), unbind(m.invoke(bean)));
            }
            return out;
        }
        Map<String, Object> found = new HashMap<>();
        for (Method m : c.getMethods()) {
            String name = m.getName();
            int skip = name.startsWith("get") ? 3 : name.startsWith("is") && (m.getReturnType() == boolean.class || m.getReturnType() == Boolean.class) ? 2 : 0;
            if (skip == 0 || name.length() == skip || m.getParameterCount() != 0 || Modifier.isStatic(m.getModifiers()) || m.getDeclaringClass() == Object.class) continue;
            m.setAccessible(true);
            found.put(decapitalize(name.substring(skip)), unbind(m.invoke(bean)));
        }
        for (Field f : c.getFields()) if (!Modifier.isStatic(f.getModifiers())) found.putIfAbsent(f.getName(), unbind(f.get(bean)));
        // In the order in which the class declares them, as far as they are fields.
        for (Class<?> k = c; k != Object.class; k = k.getSuperclass()) {
            for (Field f : k.getDeclaredFields()) if (found.containsKey(f.getName())) out.put(f.getName(), found.remove(f.getName()));
        }
        out.putAll(new TreeMap<>(found));
        return out;
    }

    /** Lowers the capitals that a name begins with. */
    private static String decapitalize(String name) {
        int n = 0;
        while (n < name.length() && Character.isUpperCase(name.charAt(n))) n++;
        return name.substring(0, n).toLowerCase(Locale.ROOT) + name.substring(n);
    }
}
