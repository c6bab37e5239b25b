package lambent.runtime;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.CustomPojoSerializer;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.lang.reflect.TypeVariable;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;

/** A function's handler: bytes to bytes, whatever its method takes. */
final class Handler {
    private final Object target;
    private final Method method;
    private final Map<TypeVariable<?>, Type> bound;
    private final boolean stream;
    private CustomPojoSerializer serializer;

    private Handler(Object target, Method method, Map<TypeVariable<?>, Type> bound) {
        this.target = target;
        this.method = method;
        this.bound = bound;
        List<Class<?>> types = Arrays.asList(method.getParameterTypes());
        this.stream = types.contains(InputStream.class) || types.contains(OutputStream.class);
        method.setAccessible(true);
    }

    /** Makes the loader of the classes below a root, and of the jars of the function and its layers. */
    static URLClassLoader loader(File root, File... folders) {
        List<URL> urls = new ArrayList<>();
        try {
            urls.add(root.toURI().toURL());
            for (File folder : folders) {
                File[] jars = folder.listFiles((dir, name) -> name.endsWith(".jar"));
                if (jars == null) continue;
                Arrays.sort(jars);
                for (File jar : jars) urls.add(jar.toURI().toURL());
            }
        } catch (MalformedURLException e) {
            throw new IllegalStateException(e);
        }
        return new URLClassLoader(urls.toArray(new URL[0]), Handler.class.getClassLoader());
    }

    /** Finds "package.Class::method", or "package.Class" for the methods of the handler interfaces. */
    static Handler load(ClassLoader loader, String name) throws Fault {
        int at = name.indexOf("::");
        String className = at < 0 ? name : name.substring(0, at);
        String methodName = at < 0 ? "handleRequest" : name.substring(at + 2);
        if (className.isEmpty() || methodName.isEmpty()) throw new Fault("Runtime.MalformedHandlerName", "Invalid handler: `" + name + "'");
        Class<?> c;
        try {
            c = Class.forName(className, true, loader);
        } catch (ClassNotFoundException e) {
            throw new Fault("java.lang.ClassNotFoundException", "Class not found: " + className);
        } catch (ExceptionInInitializerError e) {
            throw new Fault(e.getCause() == null ? e : e.getCause());
        } catch (LinkageError e) {
            throw new Fault(e);
        }
        Map<TypeVariable<?>, Type> bound = new HashMap<>();
        variables(c, bound);
        Method method = find(c, methodName, at < 0);
        try {
            Object target = Modifier.isStatic(method.getModifiers()) ? null : c.getConstructor().newInstance();
            Handler h = new Handler(target, method, bound);
            for (CustomPojoSerializer s : ServiceLoader.load(CustomPojoSerializer.class, loader)) h.serializer = s;
            return h;
        } catch (NoSuchMethodException e) {
            throw new Fault("java.lang.Exception", "Class " + className + " has no public zero-argument constructor");
        } catch (InvocationTargetException e) {
            throw new Fault(e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new Fault("java.lang.Exception", "Class " + className + " cannot be instantiated");
        }
    }

    private static Method find(Class<?> c, String name, boolean byInterface) throws Fault {
        if (byInterface && !RequestHandler.class.isAssignableFrom(c) && !RequestStreamHandler.class.isAssignableFrom(c)) {
            throw new Fault("java.lang.Exception", "Class " + c.getName() + " does not implement an appropriate handler interface");
        }
        Method best = null;
        for (Method m : c.getMethods()) {
            if (!m.getName().equals(name) || m.isBridge() || m.isSynthetic() || !suitable(m)) continue;
            // With a context before without, more parameters before fewer.
            if (best == null || m.getParameterCount() > best.getParameterCount()) best = m;
        }
        if (best == null) throw new Fault("java.lang.Exception", "No public method named " + name + " with appropriate method signature found on class " + c.getName());
        return best;
    }

    private static boolean suitable(Method m) {
        int values = 0;
        Class<?>[] types = m.getParameterTypes();
        for (int i = 0; i < types.length; i++) {
            if (types[i] == Context.class && i == types.length - 1) continue;
            if (types[i] != OutputStream.class) values++;
        }
        return values <= 1 && types.length <= 3;
    }

    /** Collects what the type variables of the supertypes of c stand for. */
    private static void variables(Type type, Map<TypeVariable<?>, Type> bound) {
        if (type == null || type == Object.class) return;
        Class<?> raw;
        if (type instanceof java.lang.reflect.ParameterizedType) {
            java.lang.reflect.ParameterizedType p = (java.lang.reflect.ParameterizedType) type;
            raw = (Class<?>) p.getRawType();
            TypeVariable<?>[] names = raw.getTypeParameters();
            for (int i = 0; i < names.length; i++) {
                Type arg = p.getActualTypeArguments()[i];
                bound.put(names[i], arg instanceof TypeVariable ? bound.getOrDefault(arg, Object.class) : arg);
            }
        } else {
            raw = (Class<?>) type;
        }
        variables(raw.getGenericSuperclass(), bound);
        for (Type t : raw.getGenericInterfaces()) variables(t, bound);
    }

    byte[] call(byte[] event, Context context) throws Fault {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        Type[] types = method.getGenericParameterTypes();
        Object[] args = new Object[types.length];
        for (int i = 0; i < types.length; i++) {
            if (types[i] == Context.class) args[i] = context;
            else if (types[i] == InputStream.class) args[i] = new ByteArrayInputStream(event);
            else if (types[i] == OutputStream.class) args[i] = out;
            else args[i] = input(event, types[i]);
        }
        Object result;
        try {
            result = method.invoke(target, args);
        } catch (InvocationTargetException e) {
            throw new Fault(e.getCause());
        } catch (IllegalAccessException e) {
            throw new Fault(e);
        }
        return stream ? out.toByteArray() : output(result);
    }

    private Object input(byte[] event, Type type) throws Fault {
        try {
            if (serializer != null) return serializer.fromJson(new ByteArrayInputStream(event), resolve(type));
            return event.length == 0 ? null : Binding.bind(Json.parse(event), type, bound);
        } catch (Exception e) {
            Throwable cause = e instanceof InvocationTargetException ? e.getCause() : e;
            throw new Fault("Runtime.UnmarshalError", "An error occurred during JSON parsing: " + cause.getMessage());
        }
    }

    private Type resolve(Type type) {
        return type instanceof TypeVariable ? bound.getOrDefault(type, Object.class) : type;
    }

    private byte[] output(Object result) throws Fault {
        try {
            if (method.getReturnType() == void.class) return "null".getBytes(StandardCharsets.UTF_8);
            if (serializer != null && result != null) {
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                serializer.toJson(result, out, result.getClass());
                return out.toByteArray();
            }
            return Json.write(Binding.unbind(result)).getBytes(StandardCharsets.UTF_8);
        } catch (Exception | StackOverflowError e) {
            Throwable cause = e instanceof InvocationTargetException ? e.getCause() : e;
            throw new Fault("Runtime.MarshalError", "An error occurred during JSON serialization of response: " + cause);
        }
    }

    static Map<String, String> strings(Object json) {
        if (!(json instanceof Map)) return Collections.emptyMap();
        Map<String, String> out = new HashMap<>();
        for (Map.Entry<?, ?> e : ((Map<?, ?>) json).entrySet()) out.put(String.valueOf(e.getKey()), String.valueOf(e.getValue()));
        return out;
    }
}
