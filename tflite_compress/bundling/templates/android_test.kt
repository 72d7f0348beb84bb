package tflitecompress.@@name

import androidx.test.ext.junit.runners.AndroidJUnit4
import androidx.test.platform.app.InstrumentationRegistry
import org.json.JSONArray
import org.json.JSONObject
import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith

/** Runs the test vectors on the phone. */
@RunWith(AndroidJUnit4::class)
class @@{Class}Test {
    @Test
    fun vectorsAreRight() {
        val instrumentation = InstrumentationRegistry.getInstrumentation()
        val text = instrumentation.context.assets.open("@@{name}_vectors.json").bufferedReader().readText()
        val record = JSONObject(text)
        val tolerance = record.getJSONArray("tolerance")
        val vectors = record.getJSONArray("vectors")
        @@Class.load(instrumentation.targetContext).use { model ->
            for (v in 0 until vectors.length()) {
                val vector = vectors.getJSONObject(v)
                val found = model.runRaw(lists(vector.getJSONArray("inputs")))
                val expected = lists(vector.getJSONArray("expected"))
                for (output in expected.indices) {
                    for (i in expected[output].indices) {
                        assertEquals(expected[output][i], found[output][i], tolerance.getDouble(output))
                    }
                }
            }
        }
    }

    private fun lists(arrays: JSONArray): List<DoubleArray> =
        List(arrays.length()) { a ->
            val array = arrays.getJSONArray(a)
            DoubleArray(array.length()) { array.getDouble(it) }
        }
}
