import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Base64;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/** The Standard Webhooks specification by the JDK's own cryptography: `sign` or `verify` SECRET ID SECONDS BODY [MARKS]. */
public final class Standard {
    public static void main(String[] given) throws Exception {
        byte[] key = Base64.getDecoder().decode(given[1].substring("whsec_".length()));
        Mac mac = Mac.getInstance("HmacSHA256");
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        byte[] body = Base64.getDecoder().decode(given[4]);
        mac.update((given[2] + "." + given[3] + ".").getBytes(StandardCharsets.UTF_8));
        String mark = "v1," + Base64.getEncoder().encodeToString(mac.doFinal(body));
        if (given[0].equals("sign")) {
            System.out.println(mark);
            return;
        }
        boolean good = false;
        for (String one : given[5].split(" ")) {
            good |= MessageDigest.isEqual(one.getBytes(StandardCharsets.UTF_8), mark.getBytes(StandardCharsets.UTF_8));
        }
        System.out.println(good);
    }
}
