import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.codelibs.opensearch.runner.node.OpenSearchRunnerNode;
import org.opensearch.common.settings.Settings;
import org.opensearch.env.Environment;
import org.opensearch.node.InternalSettingsPreparer;
import org.opensearch.node.Node;
import org.opensearch.plugins.Plugin;

/** One OpenSearch node on loopback, with the modules of the minimal distribution: `RunNode HOME PORT`. Ends with its standard input, and after half an hour. */
public class RunNode {
    static final List<String> MODULES = List.of(
        "org.opensearch.transport.Netty4Plugin",
        "org.opensearch.ingest.common.IngestCommonPlugin",
        "org.opensearch.painless.PainlessPlugin",
        "org.opensearch.script.mustache.MustachePlugin",
        "org.opensearch.index.mapper.MapperExtrasPlugin",
        "org.opensearch.index.reindex.ReindexPlugin",
        "org.opensearch.analysis.common.CommonAnalysisPlugin");

    /** Version 3 calls them ...ModulePlugin. */
    static Class<? extends Plugin> find(String name) throws ClassNotFoundException {
        try {
            return Class.forName(name).asSubclass(Plugin.class);
        } catch (ClassNotFoundException older) {
            return Class.forName(name.replaceAll("Plugin$", "ModulePlugin")).asSubclass(Plugin.class);
        }
    }

    public static void main(String[] args) throws Exception {
        Thread limit = new Thread(() -> {
            try {
                Thread.sleep(30 * 60_000);
            } catch (InterruptedException over) {
                return;
            }
            Runtime.getRuntime().halt(1);
        });
        limit.setDaemon(true);
        limit.start();

        Path home = Path.of(args[0]);
        Settings settings = Settings.builder()
            .put("path.home", home.toString())
            .put("network.host", "127.0.0.1")
            .put("http.port", args[1])
            .put("transport.port", "0")
            .put("discovery.type", "single-node")
            .put("transport.type", "netty4")
            .put("http.type", "netty4")
            // Small enough that a full batch of ours is over it.
            .put("http.max_content_length", "1mb")
            // A block that a test sets must not be taken away because the disk has room.
            .put("cluster.routing.allocation.disk.threshold_enabled", false)
            .build();
        List<Class<? extends Plugin>> modules = new ArrayList<>();
        for (String name : MODULES) modules.add(find(name));
        Environment environment = InternalSettingsPreparer.prepareEnvironment(settings, Map.of(), home.resolve("config"), () -> "conformance");
        Node node = new OpenSearchRunnerNode(environment, modules);
        node.start();
        while (System.in.read() >= 0) continue;
        node.close();
        System.exit(0);
    }
}
