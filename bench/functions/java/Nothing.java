/** The program to compare with: a JVM that says hello. */
public class Nothing {
    public static void main(String[] args) {
        System.out.println("hello");
    }
}
