package tflitecompress.@@name

import android.os.Build
import android.util.Log
import androidx.test.ext.junit.runners.AndroidJUnit4
import androidx.test.platform.app.InstrumentationRegistry
import com.google.ai.edge.litert.Accelerator
import java.security.MessageDigest
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith

/** Runs the test vectors on the phone, and prints its times in the format of `tflite-compress benchmark --json`. */
@RunWith(AndroidJUnit4::class)
class @@{Class}Test {
    private val context = InstrumentationRegistry.getInstrumentation().targetContext

    @Test
    fun vectorsAreRight() {
        val refusals = mutableListOf<String>()
        for (choice in @@Class.CHOICES) {
            val model = try {
                @@Class.compile(context, choice)
            } catch (refused: Exception) {
                refusals.add("${name(choice)}: ${refused.message}")
                continue
            }
            val result = model.use { @@{Class}Vectors.check(context, it) }
            Log.i(TAG, result.toString())
            assertTrue(result.toString(), result.isRight)
        }
        assertTrue(refusals.toString(), refusals.size < @@Class.CHOICES.size)
    }

    @Test
    fun reportIsPrinted() {
        Log.i(TAG, report().toString())
    }

    /** Times the model for each of its choices of accelerators. */
    fun report(): JSONObject {
        val sha256 = digest()
        val timed = JSONArray()
        val refused = JSONArray()
        for (choice in @@Class.CHOICES) {
            try {
                timed.put(time(choice).put("sha256", sha256))
            } catch (refusal: Exception) {
                val why = refusal.message ?: refusal.toString()
                refused.put(JSONObject().put("name", "${@@{Class}.FILE}, ${name(choice)}").put("why", why))
            }
        }
        return JSONObject().put("schema", @@schema).put("kind", "measured").put("where", phone())
            .put("timings", JSONArray()).put("on_device", timed).put("refused", refused)
            .put("comparisons", JSONArray()).put("throughput", JSONArray())
            .put("call_overhead_ms", JSONObject.NULL).put("notes", JSONArray())
    }

    private fun time(choice: List<Accelerator>): JSONObject {
        val sample = @@{Class}Vectors.sample(context)
        val medians = mutableListOf<Double>()
        val turns = JSONArray()
        for (round in 1..ROUNDS) {
            val start = System.nanoTime()
            @@Class.compile(context, choice).use { model ->
                val loadMs = (System.nanoTime() - start) / 1e6
                val times = times(model, sample)
                medians.add(median(times))
                val source = "median of ${times.size} runs, CompiledModel, ${name(choice)}, ${phone()}"
                turns.put(
                    JSONArray().put(measurement("latency", median(times), source))
                        .put(measurement("load", loadMs, source))
                )
            }
        }
        val spread = JSONObject().put("value", median(medians)).put("low", medians.sorted().first())
            .put("high", medians.sorted().last())
        return JSONObject().put("name", "${@@{Class}.FILE}, ${name(choice)}").put("median_ms", spread).put("turns", turns)
    }

    /** Returns times of single runs in ms, copies of inputs and outputs included. */
    private fun times(model: @@Class, sample: List<DoubleArray>): List<Double> {
        repeat(WARM_UP) { model.runRaw(sample) }
        val found = mutableListOf<Double>()
        val end = System.nanoTime() + (SECONDS * 1e9).toLong()
        while (found.size < MIN_RUNS || System.nanoTime() < end) {
            val start = System.nanoTime()
            model.runRaw(sample)
            found.add((System.nanoTime() - start) / 1e6)
        }
        return found
    }

    private fun measurement(name: String, value: Double, source: String): JSONObject =
        JSONObject().put("name", name).put("value", value).put("unit", "ms").put("kind", "measured")
            .put("source", source)

    private fun median(values: List<Double>): Double {
        val sorted = values.sorted()
        val middle = sorted.size / 2
        return if (sorted.size % 2 == 1) sorted[middle] else (sorted[middle - 1] + sorted[middle]) / 2
    }

    private fun name(choice: List<Accelerator>): String = choice.joinToString(" and ")

    private fun phone(): String {
        val date = SimpleDateFormat("yyyy-MM-dd", Locale.ROOT).format(Date())
        return "${Build.MANUFACTURER} ${Build.MODEL} (${Build.HARDWARE}), Android ${Build.VERSION.RELEASE}, $date"
    }

    /** Returns the SHA-256 of the model in the app, so that the report says which file ran. */
    private fun digest(): String {
        val content = context.assets.open(@@Class.FILE).use { it.readBytes() }
        val hash = MessageDigest.getInstance("SHA-256").digest(content)
        return hash.joinToString("") { String.format(Locale.ROOT, "%02x", it) }
    }

    companion object {
        const val TAG = "tflite-compress"
        private const val ROUNDS = 3
        private const val SECONDS = 1.0
        private const val WARM_UP = 5
        private const val MIN_RUNS = 10
    }
}
