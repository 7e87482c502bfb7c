// A client over the JDK's own WebSocket: java JdkClient.java ws://HOST:PORT/ws TOKEN
// Prints the first frame and closes, or prints the status and the body of a refusal.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

class JdkClient {
    public static void main(String[] args) throws Exception {
        var first = new CompletableFuture<String>();
        var listener = new WebSocket.Listener() {
            private final StringBuilder text = new StringBuilder();

            @Override
            public CompletionStage<?> onText(WebSocket socket, CharSequence data, boolean last) {
                text.append(data);
                if (last) {
                    first.complete(text.toString());
                }
                socket.request(1);
                return null;
            }
        };
        try {
            var socket = HttpClient.newHttpClient().newWebSocketBuilder()
                .subprotocols("realtime.v1", "bearer." + args[1])
                .buildAsync(URI.create(args[0]), listener).get(10, TimeUnit.SECONDS);
            System.out.println(first.get(10, TimeUnit.SECONDS));
            socket.sendClose(WebSocket.NORMAL_CLOSURE, "").get(10, TimeUnit.SECONDS);
        } catch (ExecutionException error) {
            if (!(error.getCause() instanceof WebSocketHandshakeException refusal)) {
                throw error;
            }
            System.out.println(refusal.getResponse().statusCode() + " " + refusal.getResponse().body());
        }
        System.exit(0);
    }
}
