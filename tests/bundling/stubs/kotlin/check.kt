import android.content.Context
import com.google.ai.edge.litert.CompiledModel
import tflitecompress.digits.Digits

fun main() {
    val model = Digits.load(Context())
    val outputs = model.run(FloatArray(64) { it * 4f })
    println(CompiledModel.last.bytes.joinToString(" "))
    println(outputs[0].joinToString(" "))
}
