package android.content.res

import java.io.File
import java.io.FileNotFoundException
import java.io.InputStream

/** Assets are files of the folder that the system property "assets" names. */
class AssetManager {
    fun open(name: String): InputStream {
        val file = File(System.getProperty("assets"), name)
        if (!file.isFile) throw FileNotFoundException(name)
        return file.inputStream()
    }
}
